import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { RgbImage } from "@omni-id/face/analysis";
import { writeFileAtomically } from "../atomic-file.ts";
import { type ShardSample, writeSamples } from "../shard-writer.ts";
import { type Clip, safeKey } from "./clip.ts";
import type { Decision } from "./decide.ts";
import { type Captioner, type DrawnFace, drawFace, drawThumb } from "./draw.ts";
import { type Shown, sampleDropped, type Thumb } from "./dropped-sample.ts";
import type { PlacedFace } from "./identity.ts";
import { ClipJournal } from "./journal.ts";
import type { FrameSeen } from "./observation.ts";
import type { ClipProgress } from "./observe-clip.ts";
import { outcomeText, parseOutcome } from "./outcome.ts";
import { identityId, outcomeOf } from "./outcome-of.ts";
import { places } from "./places.ts";
import type { VideoJob } from "./plan.ts";
import type { SetSettings } from "./settings.ts";
import type { Turn } from "./video/turn.ts";

/** A picture of a clip, with its second where it comes from a film. */
export interface Frame {
  n: number;
  t: number;
  image: RgbImage;
}

/** Frames of a clip that are wanted again, with what is to be done with each. */
export type FrameWork = Map<number, ((frame: Frame) => Promise<void>)[]>;

/** What kinds of source differ in: films whose frames are many, photos of which each is a clip of one frame. */
export interface SourceKind {
  settings: SetSettings;
  /** Looks at what the clip's journal does not hold yet, and ends it. */
  observe(clip: Clip, journal: ClipJournal, onProgress: (progress: ClipProgress) => void): Promise<unknown>;
  /** Who is who and which faces are kept, from what was seen in each clip alone. */
  decide(seen: readonly (readonly FrameSeen[])[]): Decision;
  /** Decodes frames a second time: the first time nobody knew which ones would be kept. */
  revisit(clip: Clip, work: FrameWork, turn?: Turn): Promise<void>;
  /** Words for a picture that nobody wrote any for. */
  caption?: Captioner;
}

export interface SourceContext {
  /** Folder of the set. */
  out: string;
  /** Hash of the recipe. */
  recipe: string;
  kind: SourceKind;
  onProgress?: (progress: ClipProgress) => void;
}

/** What came of a source, in numbers. */
export interface SourceResult {
  people: number;
  pictures: number;
}

/**
 * One source from its clips to its people: observe every clip → decide who is who and which faces are kept → draw those
 * → write them, then the journal. What is written is whole or not there; what is there is not done again.
 */
export async function curateSource(job: VideoJob, context: SourceContext): Promise<SourceResult> {
  const at = places(context.out, job.video);
  const { kind } = context;
  if (!isDone(at.outcome, job)) {
    const journals: ClipJournal[] = [];
    for (const [i, clip] of job.clips.entries()) {
      const journal = ClipJournal.open(join(at.observations, `${safeKey(clip.name)}.jsonl`), clip, context.recipe);
      await kind.observe(clip, journal, partOf(i, job.clips.length, context));
      journals.push(journal);
    }
    const seen = journals.map(({ frames }) => frames);
    const decision = kind.decide(seen);
    const shown = job.sampled ? sampleDropped(seen, decision, kind.settings.seed) : [];
    const drawn = await drawAll(job.clips, journals, decision, shown, kind);
    const samples = toSamples(job.video, decision, drawn.pictures);
    if (samples.length > 0) await writeSamples(at.people, samples);
    mkdirSync(dirname(at.outcome), { recursive: true });
    if (job.sampled) writeFileAtomically(at.dropped, JSON.stringify(drawn.thumbs));
    writeFileAtomically(at.outcome, outcomeText(outcomeOf(job, journals, decision)));
  }
  rmSync(at.observations, { recursive: true, force: true }); // features are biometric data: they go when they have served
  const { people } = parseOutcome(at.outcome, readFileSync(at.outcome, "utf8"));
  const kept = people.filter(({ pictures }) => pictures > 0);
  return { people: kept.length, pictures: kept.reduce((sum, { pictures }) => sum + pictures, 0) };
}

/** Whether a journal is there, of the same files where the job tells which. */
function isDone(path: string, { files }: VideoJob): boolean {
  return existsSync(path) && parseOutcome(path, readFileSync(path, "utf8")).video.files === files;
}

function partOf(i: number, clips: number, { onProgress }: SourceContext): (progress: ClipProgress) => void {
  return ({ frames, share }) => onProgress?.({ frames, share: (i + share) / clips });
}

/** Decodes again what is to be drawn, clip by clip. */
async function drawAll(
  clips: readonly Clip[],
  journals: readonly ClipJournal[],
  { people }: Decision,
  shown: readonly Shown[],
  { settings, revisit, caption }: SourceKind,
): Promise<{ pictures: Map<PlacedFace, DrawnFace>; thumbs: Thumb[] }> {
  const pictures = new Map<PlacedFace, DrawnFace>();
  const thumbs: Thumb[] = [];
  const byClip = groupBy(
    people.flatMap(({ chosen }) => chosen),
    ({ clip }) => clip,
  );
  const shownByClip = groupBy(shown, ({ clip }) => clip);
  for (const [number, clip] of clips.entries()) {
    const work: FrameWork = new Map();
    const add = (n: number, task: Parameters<FrameWork["set"]>[1][number]) =>
      work.set(n, [...(work.get(n) ?? []), task]);
    for (const face of byClip.get(number) ?? []) {
      add(journals[number].frames[face.frame].n, async (frame) => {
        const words = clip.caption ?? caption;
        pictures.set(face, await drawFace(frame, face.seen, { size: settings.size, clip: clip.name, caption: words }));
      });
    }
    for (const { frame, face, why } of shownByClip.get(number) ?? []) {
      add(frame.n, async ({ image, t }) => {
        const { quality, detail, size } = face;
        const picture = Buffer.from(await drawThumb(image, face)).toString("base64");
        thumbs.push({ why, second: Math.round(t * 10) / 10, quality, detail, size, picture });
      });
    }
    if (work.size > 0) await revisit(clip, work, journals[number].turn);
  }
  return { pictures, thumbs };
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => number): Map<number, T[]> {
  const groups = new Map<number, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}

function toSamples(video: string, { people }: Decision, pictures: ReadonlyMap<PlacedFace, DrawnFace>): ShardSample[] {
  return people
    .filter(({ chosen }) => chosen.length > 0)
    .map(({ chosen }, number) => {
      const drawn = chosen.map((face) => pictures.get(face) as DrawnFace);
      return {
        record: { id: identityId(video, number), source: video, images: drawn.map(({ record }) => record) },
        images: drawn.map(({ image }) => image),
        masks: drawn.map(({ mask }) => mask),
      };
    });
}
