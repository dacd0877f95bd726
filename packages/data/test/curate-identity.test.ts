import { describe, expect, test } from "vitest";
import { gatherPeople, type PlacedFace, tear } from "../src/curate/identity.ts";
import { KeyedRandom } from "../src/random.ts";
import { faceOf, placed } from "./faces.ts";

const thresholds = { samePerson: 0.55, sameFace: 0.4 };

/** A track: one face a frame, of the people named. */
function trackOf(people: number[], { clip = 0, from = 0, face = 0, seed = 1 } = {}): PlacedFace[] {
  const random = new KeyedRandom(seed, clip, from);
  return people.map((person, i) => placed(faceOf(random, { person }), from + i, clip, face));
}
const repeat = (person: number, times: number) => new Array<number>(times).fill(person);
const places = (people: PlacedFace[][]) => people.map((faces) => faces.map(({ clip, frame }) => `${clip}/${frame}`));

describe("gatherPeople", () => {
  test("the same person in ten clips is one; two in a clip are two", () => {
    const tracks = Array.from({ length: 10 }, (_, clip) => [
      trackOf(repeat(1, 6), { clip }),
      trackOf(repeat(2, 6), { clip, face: 1, seed: 2 }),
    ]).flat();
    const { people, strangers, strays } = gatherPeople(tracks, thresholds);
    expect(people.map(({ length }) => length)).toEqual([60, 60]);
    expect(new Set(people[0].map(({ face }) => face))).toEqual(new Set([0]));
    expect([strangers, strays]).toEqual([[], []]);
  });

  test("a track in which one person takes another's place is torn", () => {
    const track = trackOf([...repeat(1, 7), ...repeat(2, 9)]);
    expect(tear(track, thresholds.samePerson).map(({ length }) => length)).toEqual([7, 9]);
    expect(gatherPeople([track], thresholds).people.map(({ length }) => length)).toEqual([7, 9]);
    // …and joined again with what is theirs.
    const back = trackOf([...repeat(1, 5), ...repeat(2, 5), ...repeat(1, 5)]);
    expect(places(gatherPeople([back], thresholds).people)[0]).toHaveLength(10);
  });

  test("two faces of one frame are never one person, however alike", () => {
    const [a, b] = [trackOf(repeat(1, 5)), trackOf(repeat(1, 5), { face: 1, seed: 9 })];
    expect(gatherPeople([a, b], thresholds).people.map(({ length }) => length)).toEqual([5, 5]);
  });

  test("a strange face in a track is sorted out, too few faces are strays", () => {
    const track = trackOf([...repeat(1, 6), 3, ...repeat(1, 6)]);
    const { people, strangers } = gatherPeople([track], thresholds);
    expect(people.map(({ length }) => length)).toEqual([12]);
    expect(strangers.map(({ frame }) => frame)).toEqual([6]);
    const few = gatherPeople([trackOf(repeat(4, 2))], thresholds);
    expect([few.people.length, few.strays.length]).toEqual([0, 2]);
  });

  test("the order of tracks changes nothing; people come by their first face", () => {
    const random = new KeyedRandom(5);
    const tracks = Array.from({ length: 24 }, (_, i) =>
      trackOf(repeat(i % 5, 4), { clip: i % 3, from: 10 * i, seed: i }),
    );
    const sorted = gatherPeople(tracks, thresholds).people;
    const shuffled = gatherPeople(
      random.choose(24).map((i) => tracks[i]),
      thresholds,
    ).people;
    expect(places(shuffled)).toEqual(places(sorted));
    expect(sorted.map(({ length }) => length).sort()).toEqual([16, 20, 20, 20, 20]);
    const firsts = sorted.map(([face]) => 1e6 * face.clip + face.frame);
    expect([...firsts].sort((a, b) => a - b)).toEqual(firsts);
  });

  test("joins what a plain, slow agglomeration joins", () => {
    // Groups whose likenesses lie on both sides of the threshold.
    const random = new KeyedRandom(12);
    const pieces = Array.from({ length: 30 }, (_, i) => {
      const person = i % 6;
      return [0, 1, 2].map((k) => placed({ ...faceOf(random, { person }), feature: mixed(person, random) }, 3 * i + k));
    });
    const fast = gatherPeople(pieces, { samePerson: 0.45, sameFace: -1 }).people;
    expect(places(fast)).toEqual(places(slowMerge(pieces, 0.45)));
  });
});

/** Features of neighbouring people share a part. */
function mixed(person: number, random: KeyedRandom): Int8Array {
  const [own, next] = [new KeyedRandom(person, 0xaa), new KeyedRandom((person + 1) % 6, 0xaa)];
  return Int8Array.from({ length: 512 }, () => 30 * (own.normal() + 0.5 * next.normal() + 0.9 * random.normal()));
}

function slowMerge(pieces: PlacedFace[][], threshold: number): PlacedFace[][] {
  let groups = pieces.map((faces) => [...faces]);
  const sum = (faces: PlacedFace[]) => {
    const total = new Array<number>(512).fill(0);
    for (const { seen } of faces) {
      const length = Math.hypot(...seen.feature);
      for (let k = 0; k < 512; k++) total[k] += ((seen.quality + 1e-3) * seen.feature[k]) / length;
    }
    return total;
  };
  const cosine = (a: number[], b: number[]) =>
    a.reduce((dot, x, k) => dot + x * b[k], 0) / Math.hypot(...a) / Math.hypot(...b);
  for (;;) {
    let best: [number, number, number] = [-1, -1, threshold];
    for (let i = 0; i < groups.length; i++) {
      for (let j = i + 1; j < groups.length; j++) {
        const alike = cosine(sum(groups[i]), sum(groups[j]));
        if (alike > best[2]) best = [i, j, alike];
      }
    }
    const [i, j] = best;
    if (i < 0) break;
    groups = [...groups.filter((_, k) => k !== i && k !== j), [...groups[i], ...groups[j]]];
  }
  return groups
    .filter(({ length }) => length >= 3)
    .map((faces) => faces.sort((a, b) => a.frame - b.frame))
    .sort((a, b) => a[0].frame - b[0].frame);
}
