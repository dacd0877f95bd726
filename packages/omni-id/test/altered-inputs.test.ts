import { KeyedRandom } from "@omni-id/data";
import { describe, expect, it } from "vitest";
import { sampleFewToMany } from "../src/few-to-many.ts";
import { resolvePreset } from "../src/presets/index.ts";
import { alterInputs } from "../src/train/altered-inputs.ts";
import { MtdModel, MtdStage } from "../src/train/mtd/stage.ts";
import { buildEncoder, buildMaskedDecoder } from "../src/weights/build.ts";
import { fakePeople } from "./fake-people.ts";
import { TINY_FIRST_STAGE } from "./tiny-weights.ts";

// Rows: three photos and six copies, one photo and its altered one and two copies, two photos and four copies.
const people = fakePeople(3, { images: [3, 1, 2], altered: [false, true, false], copies: 2, side: 8 });

describe("copies of photos", () => {
  it("stand behind their person's photos, two of each, and are nobody's photos", () => {
    expect(people.rows).toEqual([0, 1, 2, 9, 13, 14]);
    const rowOf = (person: number, image: number, copy: number) =>
      people.row(person, people.copyOf(person, image, copy));
    expect([rowOf(0, 0, 0), rowOf(0, 0, 1), rowOf(0, 2, 1), people.row(1, 1), rowOf(1, 0, 1), rowOf(2, 1, 1)]).toEqual([
      3, 4, 8, 10, 12, 18,
    ]);
    expect(people.personOf(12)).toBe(1);
    expect(() => people.row(2, 6)).toThrow(/fake-2 has 2 photos, and none of number 6/);
    expect(people.withPhotos(2).copies).toBe(0);
  });

  it("are inputs as often as the share says, each as often as the others; targets stay photos", () => {
    const options = { counts: people.counts, altered: people.altered, batch: 2, inputs: [1, 2], targets: 3 };
    const seen = new Map<number, number>();
    let [all, altered] = [0, 0];
    for (let step = 0; step < 3000; step++) {
      const drawn = sampleFewToMany(new KeyedRandom(1, step), options);
      const tasks = alterInputs(drawn, people, { share: 0.3, random: new KeyedRandom(2, step) });
      for (const [i, { person, inputs, targets }] of tasks.entries()) {
        expect(targets).toEqual(drawn[i].targets);
        for (const [k, image] of inputs.entries()) {
          const photo = drawn[i].inputs[k];
          if (photo >= people.counts[person]) {
            expect(image).toBe(photo); // the altered copy of an only photo is one already
            continue;
          }
          all++;
          if (image === photo) continue;
          altered++;
          expect([people.copyOf(person, photo, 0), people.copyOf(person, photo, 1)]).toContain(image);
          seen.set(people.row(person, image), (seen.get(people.row(person, image)) ?? 0) + 1);
        }
      }
    }
    // Five standard deviations of the binomial.
    expect(Math.abs(altered - 0.3 * all)).toBeLessThan(5 * Math.sqrt(all * 0.3 * 0.7));
    expect([...seen.keys()].sort((a, b) => a - b)).toEqual([3, 4, 5, 6, 7, 8, 15, 16, 17, 18]);
  });

  it("are not drawn where there are none: the tasks are the very same", () => {
    const plain = fakePeople(3, { images: 4, side: 8 });
    const tasks = sampleFewToMany(new KeyedRandom(5), { counts: plain.counts, batch: 2, inputs: [2], targets: 2 });
    expect(alterInputs(tasks, plain, { share: 1, random: new KeyedRandom(6) })).toBe(tasks);
  });

  it("of a step depend on the step alone, so that a run that goes on draws what it would have drawn", () => {
    const preset = resolvePreset("nano", [...TINY_FIRST_STAGE, "mtd.batch=2", "mtd.loss.likeness=0"]);
    const eight = fakePeople(4, { copies: 2 });
    const stage = (alteredShare: number) =>
      new MtdStage({
        model: new MtdModel(buildEncoder(preset), buildMaskedDecoder(preset)),
        people: eight,
        preset: preset.mtd,
        seed: 1,
        alteredShare,
      });
    const [one, other, none] = [stage(0.5), stage(0.5), stage(0)];
    for (let step = 1; step < 9; step++) one.batch(step);
    expect(other.batch(9).tasks).toEqual(one.batch(9).tasks);
    expect(
      one
        .batch(9)
        .tasks.flatMap(({ inputs }) => inputs)
        .some((image) => image >= 8),
    ).toBe(true);
    expect(
      none
        .batch(9)
        .tasks.flatMap(({ inputs }) => inputs)
        .every((image) => image < 8),
    ).toBe(true);
    expect(none.batch(9).targets).toEqual(one.batch(9).targets);
    expect(Number.isFinite(one.loss(one.batch(9), 9).loss.item())).toBe(true);
  });
});
