import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeFileAtomically } from "../atomic-file.ts";
import { type ShardSample, writeSamples } from "../shard-writer.ts";
import { type Clip, safeKey } from "./clip.ts";
import { type Decision, decideVideo } from "./decide.ts";
import { type DrawnFace, drawFace, drawThumb, type FrameWork, revisit } from "./draw.ts";
import { type Shown, sampleDropped, type Thumb } from "./dropped-sample.ts";
import type { PlacedFace } from "./identity.ts";
import { ClipJournal } from "./journal.ts";
import type { FrameSeen } from "./observation.ts";
import type { Observer } from "./observe.ts";
import { type ClipProgress, observeClip } from "./observe-clip.ts";
import { outcomeText, parseOutcome } from "./outcome.ts";
import { identityId, outcomeOf } from "./outcome-of.ts";
import { places } from "./places.ts";
import type { VideoJob } from "./plan.ts";
import type { Ffmpeg } from "./video/ffmpeg.ts";

export interface VideoContext {
  /** Folder of the set. */
  out: string;
  /** Hash of the settings. */
  recipe: string;
  observer: Observer;
  ffmpeg: Ffmpeg;
  onProgress?: (progress: ClipProgress) => void;
}

/** What came of a video, in numbers. */
export interface VideoResult {
  people: number;
  pictures: number;
}

/**
 * One video from its clips to its people: observe every clip → decide who is who and which faces are kept → draw those
 * → write them, then the journal. What is written is whole or not there; what is there is not done again.
 */
export async function curateVideo(job: VideoJob, context: VideoContext): Promise<VideoResult> {
  const at = places(context.out, job.video);
  const { settings } = context.observer;
  if (!existsSync(at.outcome)) {
    const journals: ClipJournal[] = [];
    for (const [i, clip] of job.clips.entries()) {
      const journal = ClipJournal.open(join(at.observations, `${safeKey(clip.name)}.jsonl`), clip, context.recipe);
      await observeClip(clip, journal, context.observer, {
        ...context,
        onProgress: partOf(i, job.clips.length, context),
      });
      journals.push(journal);
    }
    const seen = journals.map(({ frames }) => frames);
    const decision = decideVideo(seen, settings);
    const shown = job.sampled ? sampleDropped(seen, decision, settings.seed) : [];
    const drawn = await drawAll(job.clips, seen, decision, shown, context);
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

function partOf(i: number, clips: number, { onProgress }: VideoContext): VideoContext["onProgress"] {
  return ({ frames, share }) => onProgress?.({ frames, share: (i + share) / clips });
}

/** Decodes again what is to be drawn, clip by clip. */
async function drawAll(
  clips: readonly Clip[],
  seen: readonly FrameSeen[][],
  { people }: Decision,
  shown: readonly Shown[],
  { observer: { settings }, ffmpeg }: VideoContext,
): Promise<{ pictures: Map<PlacedFace, DrawnFace>; thumbs: Thumb[] }> {
  const pictures = new Map<PlacedFace, DrawnFace>();
  const thumbs: Thumb[] = [];
  for (const [number, clip] of clips.entries()) {
    const work: FrameWork = new Map();
    const add = (n: number, task: Parameters<FrameWork["set"]>[1][number]) =>
      work.set(n, [...(work.get(n) ?? []), task]);
    for (const face of people.flatMap(({ chosen }) => chosen)) {
      if (face.clip !== number) continue;
      add(seen[number][face.frame].n, async (frame) => {
        pictures.set(
          face,
          await drawFace(frame, face.seen, { size: settings.size, clip: clip.name, caption: clip.caption }),
        );
      });
    }
    for (const { clip: of, frame, face, why } of shown) {
      if (of !== number) continue;
      add(frame.n, async ({ image, t }) => {
        const { quality, detail, size } = face;
        const picture = Buffer.from(await drawThumb(image, face)).toString("base64");
        thumbs.push({ why, second: Math.round(t * 10) / 10, quality, detail, size, picture });
      });
    }
    await revisit(clip, work, { ffmpeg, fps: settings.fps });
  }
  return { pictures, thumbs };
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
