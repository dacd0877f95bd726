import type { MeasuredFace, Reason } from "./observation.ts";
import { cluster, poseDistance, posePoint } from "./pose-clusters.ts";
import type { CurateSettings } from "./settings.ts";

/** Two faces nearer than this in pose (degrees) and look (bits of 64) are nearly the same picture. */
const SAME_POSE = 3;
const SAME_LOOK = 4;
/** Faces that a cluster holds on average at least: a choice of one is none. */
const LEAST_CHOICE = 2;
/** A face below this share of its person's median quality is not taken, whatever its pose; profiles come to about half. */
const MUCH_WORSE = 0.4;
/** How much quality counts beside distance when poses are chosen. */
const QUALITY = 0.5;

type SelectSettings = Pick<CurateSettings, "images" | "clusters" | "seed">;

type Choosable = Pick<MeasuredFace, "pose" | "quality" | "look">;

/**
 * The faces of a person that are kept (paper, 3.4): head poses are over-clustered, the best recorded face of each
 * cluster is a candidate, near duplicates among them go, and of the rest those are taken that cover the poses. Where
 * too few candidates differ, other faces that do may take their places. Faces recorded much worse than most are left
 * out from the start: a pose that only a smeared face has is not worth having.
 * @returns numbers of the chosen faces in the order of time, and why each other one was not taken; fewer than
 * `images` are never chosen
 */
export function selectFaces(
  faces: readonly Choosable[],
  { images, clusters, seed }: SelectSettings,
): { chosen: number[]; dropped: Map<number, Reason> } {
  const better = (a: number, b: number) => faces[b].quality - faces[a].quality || a - b;
  const dropped = new Map<number, Reason>();
  const median = faces.map(({ quality }) => quality).sort((a, b) => a - b)[faces.length >> 1] ?? 0;
  const good: number[] = [];
  for (const [i, { quality }] of faces.entries()) {
    if (quality < MUCH_WORSE * median) dropped.set(i, "worse");
    else good.push(i);
  }

  const count = Math.min(clusters, Math.max(images, Math.floor(good.length / LEAST_CHOICE)));
  const points = good.map((i) => posePoint(faces[i].pose));
  const members = cluster(points, count, seed).map((places) => places.map((place) => good[place]));
  const candidates = members.map((numbers) => [...numbers].sort(better)[0]).sort(better);
  const others = good.filter((i) => !candidates.includes(i));

  const different: number[] = [];
  const consider = (numbers: readonly number[], enough: number) => {
    for (const i of numbers) {
      if (different.length >= enough) dropped.set(i, "unneeded");
      else if (different.some((j) => nearlySame(faces[i], faces[j]))) dropped.set(i, "duplicate");
      else different.push(i);
    }
  };
  consider(candidates, candidates.length);
  consider(others.sort(better), images);
  if (different.length < images) {
    for (const i of different) dropped.set(i, "few");
    return { chosen: [], dropped };
  }
  const ranked = different.sort(better);
  const chosen = coverPoses(
    ranked.map((i) => faces[i]),
    images,
  ).map((place) => ranked[place]);
  for (const i of ranked) if (!chosen.includes(i)) dropped.set(i, "enough");
  return { chosen: chosen.sort((a, b) => a - b), dropped };
}

/** Whether two faces are nearly the same picture. */
export function nearlySame(a: Pick<MeasuredFace, "pose" | "look">, b: Pick<MeasuredFace, "pose" | "look">): boolean {
  return poseDistance(a.pose, b.pose) < SAME_POSE && bits(a.look ^ b.look) <= SAME_LOOK;
}

function bits(value: bigint): number {
  let [count, left] = [0, value];
  for (; left > 0n; left >>= 1n) count += Number(left & 1n);
  return count;
}

/**
 * Farthest-first: from the best face on, always the one that lies farthest from all chosen poses, times a power of its
 * quality.
 */
function coverPoses(faces: readonly Pick<MeasuredFace, "pose" | "quality">[], count: number): number[] {
  const chosen = [0]; // the best: they come sorted
  while (chosen.length < count) {
    let [next, most] = [-1, -1];
    for (const [i, { pose, quality }] of faces.entries()) {
      if (chosen.includes(i)) continue;
      const away = Math.min(...chosen.map((j) => poseDistance(pose, faces[j].pose)));
      const worth = away * quality ** QUALITY;
      if (worth > most) [next, most] = [i, worth];
    }
    chosen.push(next);
  }
  return chosen;
}
