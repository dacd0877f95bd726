import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cluster, poseDistance } from "../src/curate/pose-clusters.ts";
import { selectFaces } from "../src/curate/select.ts";
import { KeyedRandom } from "../src/random.ts";
import { faceOf } from "./faces.ts";

const settings = { images: 8, clusters: 24, seed: 0 };

describe("cluster", () => {
  test("finds clumps that lie apart", () => {
    const random = new KeyedRandom(3);
    const points = Array.from({ length: 90 }, (_, i) => [
      50 * (i % 3) + random.normal(),
      30 * ((i % 3) % 2) + random.normal(),
    ]);
    const found = cluster(points, 3, 0).map((numbers) => new Set(numbers.map((i) => i % 3)));
    expect(found.map((kinds) => kinds.size)).toEqual([1, 1, 1]);
  });
  test("every point is in one cluster, no cluster is empty, none are more than asked for", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: -90, max: 90 }), fc.integer({ min: -90, max: 90 })), { maxLength: 40 }),
        fc.integer({ min: 1, max: 30 }),
        (points, count) => {
          const found = cluster(points, count, 1);
          expect(found.flat().sort((a, b) => a - b)).toEqual(points.map((_, i) => i));
          expect(found.every(({ length }) => length > 0)).toBe(true);
          expect(found.length).toBeLessThanOrEqual(count);
        },
      ),
      { numRuns: 60 },
    );
  });
  test("each point lies nearest to the mean of its own cluster", () => {
    const random = new KeyedRandom(9);
    const points = Array.from({ length: 200 }, () => [
      random.range(-60, 60),
      random.range(-20, 20),
      random.range(-5, 5),
    ]);
    const found = cluster(points, 12, 4);
    const means = found.map((numbers) =>
      [0, 1, 2].map((k) => numbers.reduce((sum, i) => sum + points[i][k], 0) / numbers.length),
    );
    const away = (point: number[], mean: number[]) => Math.hypot(...point.map((value, k) => value - mean[k]));
    for (const [c, numbers] of found.entries()) {
      for (const i of numbers)
        expect(away(points[i], means[c])).toBeLessThanOrEqual(
          Math.min(...means.map((mean) => away(points[i], mean))) + 1e-9,
        );
    }
  });
});

/** An interview: mostly frontal, a few glances aside; blurred while the head moves. */
function interview(count: number, seed = 1) {
  const random = new KeyedRandom(seed);
  return Array.from({ length: count }, () => {
    const far = random.chance(0.15);
    const pose = {
      yaw: random.spread(far ? 30 : 5, 60),
      pitch: random.spread(far ? 12 : 3, 30),
      roll: random.spread(3, 9),
    };
    return faceOf(random, { pose, quality: random.range(0.05, 0.6) });
  });
}
const meanOf = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
function spreadOf(faces: ReturnType<typeof interview>) {
  return meanOf(faces.flatMap((a, i) => faces.slice(i + 1).map((b) => poseDistance(a.pose, b.pose))));
}

describe("selectFaces", () => {
  test("eight faces that spread far wider than random ones, and are better recorded", () => {
    const faces = interview(120);
    const { chosen, dropped } = selectFaces(faces, settings);
    expect(chosen).toHaveLength(8);
    expect([...chosen].sort((a, b) => a - b)).toEqual(chosen);
    expect(dropped.size + chosen.length).toBe(faces.length);
    const kept = chosen.map((i) => faces[i]);
    const random = new KeyedRandom(2);
    const draws = Array.from({ length: 100 }, () => random.choose(faces.length, 8).map((i) => faces[i]));
    expect(spreadOf(kept)).toBeGreaterThan(1.5 * meanOf(draws.map(spreadOf)));
    const quality = (some: typeof faces) => meanOf(some.map((face) => face.quality));
    expect(quality(kept)).toBeGreaterThan(meanOf(draws.map(quality)));
  });
  test("of faces in one pose the best is taken", () => {
    const random = new KeyedRandom(4);
    const faces = Array.from({ length: 64 }, (_, i) =>
      faceOf(random, { pose: { yaw: 15 * (i % 8) - 52 }, quality: i < 56 ? 0.2 : 0.6 }),
    );
    expect(selectFaces(faces, { ...settings, clusters: 8 }).chosen).toEqual([56, 57, 58, 59, 60, 61, 62, 63]);
  });
  test("a pose that only a smeared face has is left alone", () => {
    const faces = interview(60);
    const smeared = faceOf(new KeyedRandom(1), { pose: { yaw: -80 }, quality: 0.06 });
    const { chosen, dropped } = selectFaces([...faces.map((face) => ({ ...face, quality: 0.3 })), smeared], settings);
    expect(chosen).toHaveLength(8);
    expect(dropped.get(60)).toBe("worse");
  });
  test("near duplicates go; somebody who holds still has too few views", () => {
    const random = new KeyedRandom(6);
    const still = Array.from({ length: 40 }, () =>
      faceOf(random, { pose: { yaw: random.normal() * 0.2 }, look: 0xabcdn }),
    );
    const { chosen, dropped } = selectFaces(still, settings);
    expect(chosen).toEqual([]);
    expect(new Set(dropped.values())).toEqual(new Set(["few", "duplicate"]));
    expect(dropped.size).toBe(40);
  });
  test("where too few clusters differ, others that do fill up", () => {
    const random = new KeyedRandom(8);
    // One pose, but ten different looks (expressions) among copies.
    const faces = Array.from({ length: 40 }, (_, i) =>
      faceOf(random, { pose: { yaw: 0.1 * (i % 3) }, look: BigInt(i % 10) * 0x0101010101010101n * 13n }),
    );
    expect(selectFaces(faces, settings).chosen.length).toBe(8);
  });
  test("never fewer than asked for, whatever comes; the same again", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 1e6 }), (count, seed) => {
        const faces = interview(count, seed);
        const { chosen, dropped } = selectFaces(faces, settings);
        expect([0, 8]).toContain(chosen.length);
        expect(new Set([...chosen, ...dropped.keys()]).size).toBe(count);
        expect(selectFaces(faces, settings).chosen).toEqual(chosen);
      }),
      { numRuns: 40 },
    );
  });
});
