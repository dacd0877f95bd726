import { KeyedRandom } from "@omni-id/data";
import { describe, expect, it } from "vitest";
import { heldOutTasks, nextPhoto, otherTask } from "../src/evaluate/protocol.ts";
import { trainingIdentities } from "../src/evaluate/training-identities.ts";
import { sampleFewToMany } from "../src/few-to-many.ts";
import { People } from "../src/people/people.ts";
import { sample, Urn } from "../src/people/sample.ts";
import { resolvePreset } from "../src/presets/index.ts";
import { MtdModel, MtdStage } from "../src/train/mtd/stage.ts";
import { buildEncoder, buildMaskedDecoder } from "../src/weights/build.ts";
import { fakePeople } from "./fake-people.ts";
import { TINY_FIRST_STAGE } from "./tiny-weights.ts";

const counts = [1, 3, 8, 2, 6, 1, 4];
const people = fakePeople(counts.length, { images: counts });

describe("people with unequal numbers of photos", () => {
  it("have rows of their own, and nobody else's", () => {
    expect(people.ids.flatMap((_, person) => people.rowsOf(person))).toEqual([...Array(25).keys()]);
    expect(people.nameOf(4)).toBe("fake-2.0"); // behind one photo and three
    expect(people.nameOf(24)).toBe("fake-6.3");
    expect([people.row(2, 7), people.imageOf(11)]).toEqual([11, 7]);
    expect(people.maps([11]).tolist()).toEqual(people.maps([10, 11]).select(0, 1).unsqueeze(0).tolist());
    expect(() => people.nameOf(25)).toThrow(/row 25 is none/);
  });

  it("can be looked at without those who have too few", () => {
    const several = people.withPhotos(3);
    expect(several.ids).toEqual(["fake-1", "fake-2", "fake-4", "fake-6"]);
    expect(several.rowsOf(2)).toEqual(people.rowsOf(4));
    expect(several.rows.map((row) => several.nameOf(row))).toEqual(several.rows.map((row) => people.nameOf(row)));
  });

  it("a cache with other numbers is an error, not a shift of rows", () => {
    expect(() => People.from(["a", "b"], [4, 5], [])).toThrow(/holds 0 photos, not 9; delete its folder/);
  });
});

describe("draws", () => {
  // How photos were drawn while everybody had eight: the same numbers still come for equal ones.
  const before = {
    few(
      random: KeyedRandom,
      many: number,
      { batch, inputs, targets }: { batch: number; inputs: number[]; targets: number },
    ) {
      const few = inputs[random.below(inputs.length)];
      return random.choose(many, batch).map((person) => ({
        person,
        inputs: random.choose(8, few),
        targets: random.choose(8, targets),
      }));
    },
  };
  const options = { batch: 16, inputs: [1, 2, 3, 4, 5], targets: 8 };
  const equal = fakePeople(40, { side: 8 });

  it("of equal numbers are bit for bit what they were", () => {
    for (let step = 1; step <= 300; step++) {
      const key = [3, step, 1] as const;
      const { counts: eight, shares } = equal;
      expect(sampleFewToMany(new KeyedRandom(...key), { ...options, counts: eight, shares })).toEqual(
        before.few(new KeyedRandom(...key), 40, options),
      );
      const [now, then] = [new KeyedRandom(...key), new KeyedRandom(...key)];
      const urn = new Urn(equal);
      expect([urn.row(now), urn.person(now)]).toEqual([then.below(40 * 8), then.below(40)]);
    }
    expect(sample(equal, 50)).toEqual(new KeyedRandom(320, 50).choose(320, 50));
  });

  it("take those who have a photo more than the inputs; of few photos targets come again", () => {
    const given = { counts, batch: 2, inputs: [1, 2, 5], targets: 8 };
    const seen = new Set<number>();
    for (let step = 0; step < 400; step++) {
      for (const { person, inputs, targets } of sampleFewToMany(new KeyedRandom(1, step), given)) {
        seen.add(person);
        expect(counts[person]).toBeGreaterThan(inputs.length);
        expect(new Set(inputs).size).toBe(inputs.length);
        expect(targets).toHaveLength(8);
        expect(new Set(targets).size).toBe(Math.min(8, counts[person]));
        expect(Math.max(...inputs, ...targets)).toBeLessThan(counts[person]);
      }
    }
    expect([...seen].sort()).toEqual([1, 2, 3, 4, 6]);
  });

  it("take fewer inputs where too few people have enough, and say so when nobody has", () => {
    for (let step = 0; step < 50; step++) {
      const tasks = sampleFewToMany(new KeyedRandom(2, step), { counts, batch: 4, inputs: [1, 5], targets: 3 });
      expect(tasks.map(({ inputs }) => inputs.length)).toEqual([1, 1, 1, 1]); // only two people have six photos
    }
    expect(() => sampleFewToMany(new KeyedRandom(0), { counts, batch: 6, inputs: [1], targets: 3 })).toThrow(
      /wants 6 people with at least 2 photos each, and 5 have them/,
    );
  });

  it("give a single photo an altered copy to be made from, where the preset says so: never as a target, nor elsewhere", () => {
    const some = fakePeople(4, { images: [1, 3, 1, 2], altered: [true, false, true, false], side: 8 });
    expect([some.rows, some.row(0, 1), some.row(2, 1), some.nameOf(6)]).toEqual([
      [0, 2, 3, 4, 5, 7, 8],
      1,
      6,
      "fake-2.1",
    ]);
    const options = { counts: some.counts, altered: some.altered, batch: 2, inputs: [1, 2], targets: 3 };
    const inputs = new Set<number>();
    for (let step = 0; step < 300; step++) {
      for (const task of sampleFewToMany(new KeyedRandom(6, step), options)) {
        for (const image of task.inputs) inputs.add(some.row(task.person, image));
        for (const image of task.targets) expect(some.rows).toContain(some.row(task.person, image));
        if (some.altered[task.person]) expect(task).toMatchObject({ inputs: [1], targets: [0, 0, 0] });
      }
      expect(some.rows).toContain(new Urn(some).row(new KeyedRandom(6, step)));
    }
    expect([...inputs].sort()).toEqual([1, 2, 3, 4, 6, 7, 8]);
    expect(() => some.row(1, 3)).toThrow(/fake-1 has 3 photos, and none of number 3/);
  });

  it("mix sets as they weigh, whatever their sizes", () => {
    const shares = [
      { people: 5, weight: 3 },
      { people: 95, weight: 1 },
    ];
    const given = { counts: new Array<number>(100).fill(8), shares, batch: 4, inputs: [3], targets: 8 };
    let [first, all] = [0, 0];
    for (let step = 0; step < 2000; step++) {
      const drawn = sampleFewToMany(new KeyedRandom(4, step), given).map(({ person }) => person);
      expect(new Set(drawn).size).toBe(4);
      first += drawn.filter((person) => person < 5).length;
      all += 4;
    }
    // Five standard deviations of the binomial.
    expect(Math.abs(first - 0.75 * all)).toBeLessThan(5 * Math.sqrt(all * 0.75 * 0.25));
    // A set that is all drawn leaves its turn to the others.
    const drawn = sampleFewToMany(new KeyedRandom(4), { ...given, batch: 60 }).map(({ person }) => person);
    expect(drawn.filter((person) => person < 5)).toHaveLength(5);
  });

  it("of single photos and of single people, for the base and the ControlNet, mix sets as they weigh too", () => {
    const shares = [
      { people: 2, weight: 3 },
      { people: 18, weight: 1 },
    ];
    const urn = new Urn(fakePeople(20, { side: 8, shares }));
    const random = new KeyedRandom(7);
    const draws = 4000;
    let [rows, persons] = [0, 0];
    for (let i = 0; i < draws; i++) {
      rows += Number(urn.row(random) < 16);
      persons += Number(urn.person(random) < 2);
    }
    const slack = 5 * Math.sqrt(draws * 0.75 * 0.25);
    for (const first of [rows, persons]) expect(Math.abs(first - 0.75 * draws)).toBeLessThan(slack);
  });
});

describe("tests of held-out people", () => {
  it("of eight photos are what they were", () => {
    const eight = { ids: ["a", "b"], rowsOf: (person: number) => [0, 1, 2, 3, 4, 5, 6, 7].map((i) => 8 * person + i) };
    expect(heldOutTasks(eight)).toEqual(
      [0, 1].flatMap((person) =>
        [0, 2, 4, 6].map((turn) => {
          const row = (place: number) => person * 8 + ((turn + place) % 8);
          return { person, inputs: [0, 3, 6, 1, 4].map(row), targets: [2, 5, 7].map(row) };
        }),
      ),
    );
  });

  it("of fewer photos keep a target that is never an input", () => {
    const tested = people.withPhotos(2);
    const tasks = heldOutTasks(tested);
    expect(tasks).toHaveLength(4 * tested.ids.length);
    for (const { person, inputs, targets } of tasks) {
      expect([inputs.length, targets.length]).toEqual([5, 3]);
      for (const row of [...inputs, ...targets]) expect(tested.rowsOf(person)).toContain(row);
      expect(inputs.some((row) => targets.includes(row))).toBe(false);
    }
    for (let person = 0; person < tested.ids.length; person++) {
      const own = tasks.filter((task) => task.person === person);
      expect(new Set(own.flatMap(({ inputs }) => inputs)).size).toBe(Math.min(8, tested.rowsOf(person).length));
    }
    expect(tasks.every((task, i) => tasks[otherTask(i, tasks.length)].person !== task.person)).toBe(true);
    expect(() => heldOutTasks(people)).toThrow(/fake-0 has 1 photo; a test wants at least 2/);
  });
});

describe("another real view", () => {
  it("is the next target of the test, as it was; never the same photo again", () => {
    const eight = heldOutTasks({ ids: ["a"], rowsOf: () => [0, 1, 2, 3, 4, 5, 6, 7] }).flatMap(
      ({ targets }) => targets,
    );
    for (const [i] of eight.entries()) expect(nextPhoto(eight, i, 3)).toBe(i - (i % 3) + ((i + 1) % 3));
    const two = heldOutTasks({ ids: ["a"], rowsOf: () => [4, 9] }).flatMap(({ targets }) => targets);
    for (const [i, row] of two.entries()) {
      expect(nextPhoto(two, i, 3)).toBe(undefined);
      expect(two[nextPhoto(two, i, 12) ?? i]).not.toBe(row);
    }
  });
});

describe("training on unequal people", () => {
  it("a step of stage one names the photos that it drew, and learns", async () => {
    const preset = resolvePreset("nano", [...TINY_FIRST_STAGE, "mtd.batch=2", "mtd.loss.likeness=0"]);
    const model = new MtdModel(buildEncoder(preset), buildMaskedDecoder(preset));
    const stage = new MtdStage({ model, people, preset: preset.mtd, seed: 1 });
    const batch = stage.batch(1);
    expect(batch.targets).toEqual(
      batch.tasks.flatMap(({ person, targets }) => targets.map((image) => people.rowsOf(person)[image])),
    );
    const { loss } = stage.loss(batch, 1);
    expect(Number.isFinite(loss.item())).toBe(true);
    expect((await trainingIdentities(model.encoder, people)).shape[0]).toBe(counts.length);
  });
});
