import { KeyedRandom } from "@omni-id/data";
import { describe, expect, it } from "vitest";
import { sampleFewToMany } from "../src/few-to-many.ts";

const equal = (people: number) => new Array<number>(people).fill(8);
const options = { counts: equal(100), batch: 16, inputs: [1, 3, 5], targets: 8 };

describe("sampleFewToMany", () => {
  it("depends on its key alone", () => {
    const draw = (...key: number[]) => sampleFewToMany(new KeyedRandom(...key), options);
    expect(draw(0, 731)).toEqual(draw(0, 731));
    expect(draw(0, 731)).not.toEqual(draw(0, 732));
    expect(draw(0, 731)).not.toEqual(draw(1, 731));
  });

  it("draws different people, and different photos of each", () => {
    for (let step = 0; step < 200; step++) {
      const tasks = sampleFewToMany(new KeyedRandom(5, step), { ...options, targets: 5 });
      expect(new Set(tasks.map((task) => task.person)).size).toBe(16);
      const few = tasks[0].inputs.length;
      expect(options.inputs).toContain(few);
      for (const { inputs, targets } of tasks) {
        expect(new Set(inputs).size).toBe(few);
        expect(new Set(targets).size).toBe(5);
        expect(Math.max(...inputs, ...targets)).toBeLessThan(8);
      }
    }
  });

  it("draws every person, photo and input count equally often", () => {
    const seen = new Float64Array(100);
    const photos = new Float64Array(8);
    const counts = new Map<number, number>();
    const steps = 3000;
    for (let step = 0; step < steps; step++) {
      const tasks = sampleFewToMany(new KeyedRandom(9, step), options);
      counts.set(tasks[0].inputs.length, (counts.get(tasks[0].inputs.length) ?? 0) + 1);
      for (const task of tasks) {
        seen[task.person]++;
        for (const image of task.inputs) photos[image]++;
      }
    }
    // Bounds of five standard deviations of the binomial.
    const within = (value: number, n: number, p: number) =>
      expect(Math.abs(value - n * p)).toBeLessThan(5 * Math.sqrt(n * p * (1 - p)));
    for (const count of seen) within(count, steps, 0.16);
    for (const few of options.inputs) within(counts.get(few) ?? 0, steps, 1 / 3);
    const all = photos.reduce((sum, count) => sum + count, 0);
    for (const count of photos) within(count, all, 1 / 8);
  });

  it("says so when there are too few people for a step", () => {
    expect(() => sampleFewToMany(new KeyedRandom(0), { ...options, counts: equal(5) })).toThrow(
      /a step wants 16 people with at least 2 photos each, and 5 have them; lower the batch/,
    );
  });
});
