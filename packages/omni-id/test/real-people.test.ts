import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manualSeed, randn, scope, type Tensor, tensor } from "@omni-id/torch";
import { afterAll, describe, expect, it } from "vitest";
import { withHalf } from "../src/cli/evaluate-people.ts";
import { frechetDistance } from "../src/evaluate/frechet.ts";
import { firstOf, likenessOf } from "../src/evaluate/generation-likeness.ts";
import { generationTasks, rowsOf } from "../src/evaluate/generation-protocol.ts";
import { type DrawnLikeness, judged, photosOf } from "../src/evaluate/likeness-to-people.ts";
import { netShare, type RealPeopleReport } from "../src/evaluate/real-people.ts";
import type { Judge } from "../src/evaluate/recognisers.ts";
import { distances } from "../src/evaluate/reconstruct.ts";
import { fakePeople } from "./fake-people.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-real-"));
afterAll(() => rmSync(root, { recursive: true }));

describe("the Fréchet distance", () => {
  /** Points whose mean and covariance (over n − 1) are exactly these: μ ± σ·√(n − 1)/√2 along each axis. */
  const set = (mean: readonly number[], deviation: readonly number[]): Tensor => {
    const n = 2 * mean.length;
    const rows = mean.flatMap((_, axis) =>
      [-1, 1].map((sign) =>
        mean.map((m, i) => m + (i === axis ? (sign * deviation[i] * Math.sqrt(n - 1)) / Math.SQRT2 : 0)),
      ),
    );
    return tensor(Float32Array.from(rows.flat()), { shape: [n, mean.length] });
  };

  it("is that of two normal distributions, written out", () => {
    const [mean, other] = [
      [1, -2, 0.5],
      [0, 1, 0.5],
    ];
    const [deviation, wider] = [
      [1, 2, 0.3],
      [2, 2, 1],
    ];
    const squares = (values: readonly number[]) => values.reduce((sum, value) => sum + value ** 2, 0);
    // Along axes that both share, tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½) is Σ (σ₁ − σ₂)².
    const wanted = squares(mean.map((m, i) => m - other[i])) + squares(deviation.map((d, i) => d - wider[i]));
    expect(frechetDistance(set(mean, deviation), set(other, wider))).toBeCloseTo(wanted, 4);
    expect(frechetDistance(set(other, wider), set(mean, deviation))).toBeCloseTo(wanted, 4);
  });

  it("is nothing between a set and itself, whichever way it lies, and does not change when both are turned", () => {
    manualSeed(4);
    const [a, b] = [randn([40, 3]), scope(() => randn([30, 3]).mul(2).add(1))];
    const turn = tensor([0.36, 0.48, -0.8, -0.8, 0.6, 0, 0.48, 0.64, 0.6], { shape: [3, 3] });
    expect(frechetDistance(a, a)).toBeLessThan(1e-6);
    const turned = scope(() => frechetDistance(a.matmul(turn), b.matmul(turn)));
    expect(turned).toBeCloseTo(frechetDistance(a, b), 4);
  });

  it("is of fewer pictures than features a number too, and of one picture none", () => {
    manualSeed(5);
    expect(frechetDistance(randn([4, 12]), randn([5, 12]))).toBeGreaterThan(0);
    expect(() => frechetDistance(randn([1, 3]), randn([5, 3]))).toThrow(/no spread; two are the least/);
  });
});

describe("likeness to real people", () => {
  const people = fakePeople(5, { images: [2, 8, 3, 6, 4], side: 8 });
  const tasks = generationTasks(people);
  manualSeed(8);
  const points = randn([tasks.length, 5, 2]);
  const drawn = Object.fromEntries(
    ["1", "3", "5", "otherIdentity"].map((name) => [name, randn([tasks.length, 3, 8, 8])]),
  );
  let looked = 0;
  const judge: Judge = {
    measure: "euclidean",
    embed: (faces) => {
      looked += faces.shape[0];
      return scope(() => faces.mean([2, 3]));
    },
    compare: distances,
  };

  it("is what the measurement of generated pictures gives, and looks at each photo once", () => {
    const { likeness, firsts } = judged({ people, tasks, judge, photos: photosOf(people) }, (name) => ({
      pictures: drawn[name],
      points,
    }));
    expect(looked).toBe(people.rows.length + 4 * tasks.length);
    const test = { people, tasks, judges: { independent: judge, backbone: judge } };
    const { independent } = likenessOf(test, drawn, points);
    for (const name of ["1", "3", "5", "otherIdentity", "samePerson", "otherPerson"] as const) {
      expect(likeness[name].flat(), name).toEqual(independent[name].flat());
    }
    for (const name of ["1", "3", "5"] as const) expect(firsts[name]).toEqual(firstOf(test, drawn[name], points));
  });

  it("has nothing left where all are drawn alike, and all of it where the person's own photo is drawn", () => {
    const flat = (value: number) => [[value, value], [value], [value]];
    const bounds = { samePerson: flat(0.4), otherPerson: flat(0.8) };
    const of = (made: number, otherIdentity: number): DrawnLikeness => ({
      ...{ "1": flat(made), "3": flat(made), "5": flat(made) },
      ...{ otherIdentity: flat(otherIdentity), ...bounds },
    });
    expect(netShare(of(0.6, 0.6), "3").mean).toBe(0); // half of the way, and none of it the person's
    expect(netShare(of(0.4, 0.8), "3").mean).toBeCloseTo(1);
    expect(netShare(of(0.6, 0.7), "1").mean).toBeCloseTo(0.25);
    expect(netShare(of(0.6, 0.7), "1").ci[0]).toBeCloseTo(0.25);
  });

  it("names photos by their places among all", () => {
    const { rows, place } = photosOf(people.withPhotos(4));
    expect(rows).toEqual([...rowsFrom(2, 8), ...rowsFrom(13, 10)]);
    expect(place(13)).toBe(8);
    expect(rowsOf(people.crops, rows).shape[0]).toBe(18);
  });
});

const rowsFrom = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

describe("the report's file", () => {
  const half = (found: number) =>
    ({ commit: "abc", hardware: "here", data: "9 people", found }) as RealPeopleReport & { data: string };

  it("keeps the other half", () => {
    const file = join(root, "report.json");
    writeFileSync(file, JSON.stringify(withHalf(file, "shipped", half(1))));
    writeFileSync(file, JSON.stringify(withHalf(file, "trained", half(0.5))));
    const report = withHalf(file, "trained", half(0.7));
    expect(report).toMatchObject({ commit: "abc", trained: { found: 0.7 }, shipped: { found: 1 } });
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ trained: { found: 0.5 } });
  });

  it("that is damaged is told of, not overwritten", () => {
    const file = join(root, "damaged.json");
    writeFileSync(file, "{ not");
    expect(() => withHalf(file, "trained", half(1))).toThrow(/damaged.*measure both halves again/);
  });
});
