import { FaceAnalyser, loadImage } from "@omni-id/face/analysis";
import type { ShardSample } from "../shard-writer.ts";
import { likeness as cosine } from "./observation.ts";
import type { Outcome } from "./outcome.ts";
import { identityId } from "./outcome-of.ts";

/** A video's people with their journal. */
export interface CombinedVideo {
  outcome: Outcome;
  samples: ShardSample[];
  /** JSON of the dropped faces that the report shows. */
  thumbs?: string;
}

/** How alike two identities look, by a recogniser's cosine. */
export type Likeness = (a: ShardSample, b: ShardSample) => Promise<number>;

/** Compares people by the mean feature of their pictures. */
export async function recogniserLikeness(): Promise<Likeness> {
  const analyser = await FaceAnalyser.load();
  const known = new Map<string, Promise<Float32Array>>();
  const feature = async ({ record, images }: ShardSample) => {
    const sum = new Float32Array(512);
    for (const [i, { landmarks }] of record.images.entries()) {
      const photo = await loadImage(images[i], { name: `${record.id}.${i}.jpg` });
      for (const [k, value] of (await analyser.recognise(photo, Float32Array.from(landmarks))).entries())
        sum[k] += value;
    }
    return sum;
  };
  const of = (sample: ShardSample) => {
    const key = JSON.stringify(sample.record);
    const there = known.get(key) ?? feature(sample);
    known.set(key, there);
    return there;
  };
  return async (a, b) => cosine(await of(a), await of(b));
}

const meanQuality = ({ record: { images } }: ShardSample) =>
  images.reduce((sum, { quality = 0 }) => sum + quality, 0) / images.length;

/**
 * One video that several parts hold, each with other clips of it. Whoever looks alike is one person, of whom the
 * better recorded pictures are kept.
 */
export async function combineVideos(
  videos: readonly CombinedVideo[],
  { samePerson, likeness }: { samePerson: number; likeness: Likeness },
): Promise<CombinedVideo> {
  const { video } = videos[0].outcome.video;
  const candidates = videos.flatMap(({ samples }, home) => samples.map((sample) => ({ sample, home })));
  const kept: typeof candidates = [];
  for (const candidate of candidates.sort((a, b) => meanQuality(b.sample) - meanQuality(a.sample) || a.home - b.home)) {
    const alike = await Promise.all(
      kept.filter(({ home }) => home !== candidate.home).map(({ sample }) => likeness(sample, candidate.sample)),
    );
    if (alike.every((value) => value < samePerson)) kept.push(candidate);
  }
  kept.sort((a, b) => a.home - b.home || (a.sample.record.id < b.sample.record.id ? -1 : 1));
  const newId = new Map(kept.map(({ sample, home }, i) => [`${home}/${sample.record.id}`, identityId(video, i)]));
  return {
    outcome: joinOutcomes(videos, newId),
    samples: kept.map(({ sample }, i) => ({ ...sample, record: { ...sample.record, id: identityId(video, i) } })),
    thumbs: videos.find(({ thumbs }) => thumbs)?.thumbs,
  };
}

function joinOutcomes(videos: readonly CombinedVideo[], newId: ReadonlyMap<string, string>): Outcome {
  const joined: Outcome = { video: videos[0].outcome.video, clips: [], faces: [], people: [] };
  const named = new Set<string>();
  for (const [home, { outcome }] of videos.entries()) {
    const first = joined.people.length;
    joined.clips.push(...outcome.clips.filter(({ clip }) => !named.has(clip)));
    for (const { clip } of outcome.clips) named.add(clip);
    for (const person of outcome.people) {
      const id = newId.get(`${home}/${person.id}`) ?? "";
      joined.people.push({ ...person, person: first + person.person, id, pictures: id ? person.pictures : 0 });
    }
    for (const { picture, why, ...face } of outcome.faces) {
      const person = face.person === undefined ? undefined : first + face.person;
      const taken = picture !== undefined && person !== undefined && joined.people[person].pictures > 0;
      joined.faces.push({ ...face, person, ...(taken ? { picture } : { why: why ?? "twin" }) });
    }
  }
  return joined;
}
