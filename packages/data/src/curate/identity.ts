import { likeness, type MeasuredFace } from "./observation.ts";
import type { SetSettings } from "./settings.ts";

/** A measured face with its place in the video. */
export interface PlacedFace {
  clip: number;
  frame: number;
  face: number;
  seen: MeasuredFace;
}

type Thresholds = Pick<SetSettings, "samePerson" | "sameFace">;

/**
 * Who is who among the tracks of a video. A track is torn where the face in it becomes another one; pieces that look
 * alike become one person, in whatever clips they lie; two faces of one frame are never one person. Faces that do not
 * look like the rest of their person are sorted out, and so are those whom nothing joins.
 * @param tracks measured faces in the order of time
 * @returns people in the order of their first face
 */
export function gatherPeople(
  tracks: readonly (readonly PlacedFace[])[],
  thresholds: Thresholds,
): { people: PlacedFace[][]; strangers: PlacedFace[]; strays: PlacedFace[] } {
  const pieces = tracks.filter((track) => track.length > 0).flatMap((track) => tear(track, thresholds.samePerson));
  const [strangers, strays]: PlacedFace[][] = [[], []];
  const people = mergePieces(pieces, thresholds.samePerson).flatMap((faces) => {
    const centre = meanFeature(faces);
    const alike = faces.filter((face) => likeness(face.seen.feature, centre) >= thresholds.sameFace);
    if (alike.length < LEAST_FACES) {
      strays.push(...faces);
      return [];
    }
    strangers.push(...faces.filter((face) => !alike.includes(face)));
    return [alike.sort(order)];
  });
  return { people: people.sort((a, b) => order(a[0], b[0])), strangers, strays };
}

/** Fewer faces than this are nobody yet. */
const LEAST_FACES = 3;
/** Faces on each side of a place where a track may be torn. */
const WINDOW = 5;
const LEAST_WINDOW = 2;

/** Tears a track where the faces before look least like the faces after, if that is another person, again and again. */
export function tear(track: readonly PlacedFace[], samePerson: number): PlacedFace[][] {
  let [at, least] = [0, samePerson];
  for (let i = LEAST_WINDOW; i <= track.length - LEAST_WINDOW; i++) {
    const before = meanFeature(track.slice(Math.max(0, i - WINDOW), i));
    const alike = likeness(before, meanFeature(track.slice(i, i + WINDOW)));
    if (alike < least) [at, least] = [i, alike];
  }
  if (at === 0) return [[...track]];
  return [...tear(track.slice(0, at), samePerson), ...tear(track.slice(at), samePerson)];
}

interface Group {
  faces: PlacedFace[];
  /** Sum of the features, each of length 1 times the face's quality. */
  sum: Float64Array;
  frames: Set<string>;
}

/** How alike two groups look; two that stand in one frame are two people, whatever they look like. */
function alikeOf(one: Group, other: Group): number {
  return disjoint(one.frames, other.frames) ? likeness(one.sum, other.sum) : Number.NEGATIVE_INFINITY;
}

/** Joins the two groups that look most alike until none look alike enough. */
function mergePieces(pieces: readonly PlacedFace[][], samePerson: number): PlacedFace[][] {
  const groups = new Map<number, Group>(
    pieces.map((faces, i) => [i, { faces, sum: sumOf(faces), frames: new Set(faces.map(frameOf)) }]),
  );
  /** For each group the best later one: looking it up again only where it changed keeps long videos fast. */
  const best = new Map<number, { other: number; alike: number }>();
  const look = (i: number) => {
    let found = { other: -1, alike: samePerson };
    const one = groups.get(i) as Group;
    for (const [j, other] of groups) {
      if (j <= i) continue;
      const alike = alikeOf(one, other);
      if (alike > found.alike) found = { other: j, alike };
    }
    best.set(i, found);
  };
  for (const i of groups.keys()) look(i);
  for (;;) {
    const i = mostAlike(best, samePerson);
    if (i < 0) return [...groups.values()].map(({ faces }) => faces);
    const j = (best.get(i) as { other: number }).other;
    const [one, other] = [groups.get(i) as Group, groups.get(j) as Group];
    one.faces = [...one.faces, ...other.faces];
    one.sum = one.sum.map((value, k) => value + other.sum[k]);
    for (const frame of other.frames) one.frames.add(frame);
    groups.delete(j);
    best.delete(j);
    look(i);
    for (const [k, found] of best) {
      if (k === i) continue;
      if (found.other === i || found.other === j) look(k);
      else if (k < i) {
        const now = alikeOf(groups.get(k) as Group, one);
        if (now > Math.max(found.alike, samePerson)) best.set(k, { other: i, alike: now });
      }
    }
  }
}

/** The group whose best partner is the most alike of all; −1 where none is alike enough. */
function mostAlike(best: ReadonlyMap<number, { other: number; alike: number }>, samePerson: number): number {
  let [i, alike] = [-1, samePerson];
  for (const [candidate, found] of best) {
    if (found.other >= 0 && found.alike > alike) [i, alike] = [candidate, found.alike];
  }
  return i;
}

/** The mean feature of some faces; better recorded ones count more. */
export const meanFeature = (faces: readonly PlacedFace[]): Float64Array => sumOf(faces);

function sumOf(faces: readonly PlacedFace[]): Float64Array {
  const sum = new Float64Array(faces[0].seen.feature.length);
  for (const { seen } of faces) {
    const weight =
      (seen.quality + 1e-3) / Math.sqrt(seen.feature.reduce((total, value) => total + value * value, 1e-9));
    for (let k = 0; k < sum.length; k++) sum[k] += weight * seen.feature[k];
  }
  return sum;
}

const frameOf = ({ clip, frame }: PlacedFace) => `${clip}/${frame}`;
const order = (a: PlacedFace, b: PlacedFace) => a.clip - b.clip || a.frame - b.frame || a.face - b.face;

function disjoint(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  const [small, large] = a.size < b.size ? [a, b] : [b, a];
  for (const item of small) if (large.has(item)) return false;
  return true;
}
