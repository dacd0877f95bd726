import { bootstrap, rocAuc } from "@omni-id/data";
import { manualSeed, randn, scope, type Tensor, tensor } from "@omni-id/torch";
import { describe, expect, it } from "vitest";
import { closedWay, compareReports, perPerson, readOtherReport, reportText } from "../src/evaluate/figures.ts";
import { angle, copyPaste, firstOf, galleryPlaces, withoutOutliers } from "../src/evaluate/generation-likeness.ts";
import { generationTasks } from "../src/evaluate/generation-protocol.ts";
import { heldOutTasks, otherTask } from "../src/evaluate/protocol.ts";
import type { Judge } from "../src/evaluate/recognisers.ts";
import { encodeTasks } from "../src/evaluate/reconstruct.ts";
import { verificationPairs, verifyHeldOut } from "../src/evaluate/verification.ts";
import { buildEncoder } from "../src/weights/build.ts";
import { EncoderBundle, type LoadedEncoder } from "../src/weights/first-stage.ts";
import { fakePeople } from "./fake-people.ts";
import { tinyPreset } from "./tiny-weights.ts";

describe("the held-out protocol", () => {
  it.each([2, 3, 7, 8, 13, 19, 44, 70, 77])("gives somebody else's task of the same turn, of %i people", (people) => {
    const tasks = people * 4;
    const others = Array.from({ length: tasks }, (_, task) => otherTask(task, tasks));
    for (const [task, other] of others.entries()) {
      expect(Math.floor(other / 4)).not.toBe(Math.floor(task / 4));
      expect(other % 4).toBe(task % 4);
    }
    expect(new Set(others).size).toBe(tasks);
    if (people === 44) expect(others[0]).toBe(28); // seven people further on
  });

  it("refuses one person alone", () => {
    expect(() => otherTask(0, 4)).toThrow(/nobody else to compare with/);
  });
});

describe("verification of held-out people", () => {
  const PEOPLE = 5;
  const tasks = heldOutTasks(fakePeople(PEOPLE, { side: 8 }));

  it("compares no photo with a set that holds it, at any count, and everybody as often", () => {
    const { probes, pairs } = verificationPairs(tasks, PEOPLE);
    expect(new Set(probes).size).toBe(probes.length);
    for (const { task, probe } of pairs) expect(tasks[task].inputs).not.toContain(probes[probe]);
    const own = pairs.filter(({ task, probe }) => tasks[task].person === Math.floor(probes[probe] / 8));
    expect(own).toHaveLength(PEOPLE * 4 * 3);
    expect(pairs).toHaveLength(PEOPLE * PEOPLE * 4 * 3);
    expect(new Set(pairs.map(({ task, probe }) => `${task} ${probe}`)).size).toBe(pairs.length);
  });

  it.each([0, 1])("gives the recogniser, the carried and the learnt tokens by themselves (%i carried)", (carries) => {
    const people = fakePeople(PEOPLE);
    manualSeed(2);
    const preset = tinyPreset();
    // 512 numbers of the recogniser's feature: two class tokens of 256, which 32 tokens of 16 carry.
    if (carries) Object.assign(preset.identity, { tokens: 40 });
    preset.encoder.carriedTokens = carries ? 32 : 0;
    const bundle = new EncoderBundle(buildEncoder(preset));
    bundle.eval();
    bundle.standardise(scope(() => encodeTasks(bundle.encoder, people, tasks, 1)));
    const report = verifyHeldOut({ bundle, preset } as LoadedEncoder, people, tasks);

    // The learnt tokens, written out pair by pair.
    const learnt = scope(() => {
      const vectors = (rows: number[][]) =>
        scope(() => {
          const some = rows.map((inputs) => ({ person: 0, targets: [], inputs }));
          const all = encodeTasks(bundle.encoder, people, some, rows[0].length);
          const standard = all.sub(bundle.identity_mean).div(bundle.identity_deviation);
          return standard
            .unbind(0)
            .map((one) => (one.tolist() as number[][]).slice(preset.encoder.carriedTokens).flat());
        });
      const cosine = (a: number[], b: number[]) => {
        const dot = (x: number[], y: number[]) => x.reduce((sum, v, i) => sum + v * y[i], 0);
        return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
      };
      const [positive, negative]: [number[], number[]] = [[], []];
      const probes = tasks.map(({ targets }) => vectors(targets.map((row) => [row])));
      const gallery = vectors(tasks.map(({ inputs }) => inputs.slice(0, 3)));
      for (const [i, task] of tasks.entries()) {
        for (let other = i % 4; other < tasks.length; other += 4) {
          for (const probe of probes[other]) {
            (tasks[other].person === task.person ? positive : negative).push(cosine(gallery[i], probe));
          }
        }
      }
      return rocAuc(positive, negative);
    });
    expect(report["3"].learnt.auc).toBeCloseTo(learnt, 3);
    expect(report["3"].learnt.ci?.[0]).toBeLessThan(report["3"].learnt.auc);
    expect(Object.keys(report)).toEqual(["1", "3", "5"]);
    expect(Object.keys(report["1"])).toEqual(carries ? ["recogniser", "carried", "learnt"] : ["recogniser", "learnt"]);
  });
});

/** Sees the mean colour of a picture: features that a test can choose. */
const colourJudge: Judge = {
  measure: "euclidean",
  embed: (faces) => scope(() => faces.mean([2, 3])),
  compare: () => [],
};

describe("whether the right one comes first", () => {
  const people = fakePeople(6, { side: 16 });
  const tasks = generationTasks(people);
  const judges = { independent: colourJudge, backbone: colourJudge };
  const points: Tensor = randn([tasks.length, 5, 2]);

  it("has one gallery for all counts: no input at any of them, and not the target", () => {
    for (const task of tasks) {
      const places = galleryPlaces(people, task);
      expect(places).toHaveLength(2);
      for (const row of [task.target, ...task.inputs]) expect(places).not.toContain(row % 8);
    }
  });

  it("is right for pictures of the gallery's own colour, and wrong for somebody else's", () => {
    const colourOf = (person: number, task: (typeof tasks)[number]) => {
      const rows = galleryPlaces(people, task).map((place) => person * 8 + place);
      return people.crops
        .indexSelect(0, tensor(rows, { dtype: "int64" }))
        .float()
        .div(127.5)
        .sub(1)
        .mean([0, 2, 3]);
    };
    const drawn = (whose: (person: number) => number) =>
      scope(() => {
        const colours = tasks.map((task) => colourOf(whose(task.person), task).tolist() as number[]);
        return tensor(Float32Array.from(colours.flat()), { shape: [tasks.length, 3, 1, 1] })
          .expand([-1, -1, 4, 4])
          .contiguous();
      });
    const test = { people, tasks, judges };
    expect(
      bootstrap(
        firstOf(
          test,
          drawn((person) => person),
          points,
        ),
      ),
    ).toEqual({ mean: 1, ci: [1, 1] });
    expect(
      bootstrap(
        firstOf(
          test,
          drawn((person) => (person + 1) % 6),
          points,
        ),
      ).mean,
    ).toBe(0);
  });
});

describe("the copy-paste score", () => {
  const at = (degrees: number) => [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];

  it("is +1 at the reference, −1 at the target, and 0 half way", () => {
    const [t, r] = [at(0), at(60)];
    // By the definition's 1e-6 under the lengths, a thing is 0.0014 to 0.002 rad away from itself.
    expect(copyPaste(r, t, r)).toBeCloseTo(1, 2);
    expect(copyPaste(t, t, r)).toBeCloseTo(-1, 2);
    expect(copyPaste(at(30), t, r)).toBeCloseTo(0, 6);
    // (θ(g,t) − θ(g,r)) / θ(t,r) with θ = 90°, 30°, 60°; lengths do not matter.
    expect(
      copyPaste(
        at(90).map((v) => 3 * v),
        t,
        r,
      ),
    ).toBeCloseTo((90 - 30) / 60, 4);
  });

  it("is 0 where target and reference are the same, and clips cosines", () => {
    // With x̂ = x / (‖x‖ + 1e-6) equal features of length 1e6 have a cosine of 1 within rounding.
    const same = [1e6, 0];
    expect(angle(same, same)).toBeLessThan(1e-5);
    expect(copyPaste(at(40), [1e9, 0], [1e9, 0])).toBe(0);
    expect(Number.isFinite(angle([1e20, 1e20, 1e20], [1e20, 1e20, 1e20]))).toBe(true);
  });

  it("drops outliers beyond 1.5 quartile distances, whosever they are", () => {
    expect(withoutOutliers([[1, 2, 3], [4, 10], [-50]])).toEqual([[1, 2, 3], [4]]); // quartiles 1.25 and 3.75
    expect(
      withoutOutliers([
        [1, 2, 3],
        [2, 3, 100],
      ]),
    ).toEqual([
      [1, 2, 3],
      [2, 3],
    ]);
  });
});

describe("figures of a report", () => {
  const values = {
    samePerson: [[0.3], [0.35]],
    otherPerson: [[0.7], [0.65]],
    "1": [[0.5], [0.5]],
    "3": [[0.4], [0.45]],
    "5": [[0.3], [0.35]],
  };

  it("tell the way closed with its interval", () => {
    const closed = closedWay(values);
    expect(closed["1"].mean).toBeCloseTo(0.175 / 0.35, 10);
    expect(closed["5"]).toEqual({ mean: 1, ci: [1, 1] });
    expect(closed["3"].ci[0]).toBeCloseTo(0.2 / 0.3, 10); // the second person twice
    expect(closed["3"].ci[1]).toBeCloseTo(0.3 / 0.4, 10);
  });

  it("are compared person by person with another report's", () => {
    const people = fakePeople(2, { side: 16 });
    const shifted = Object.fromEntries(
      Object.entries(values).map(([key, groups]) => [
        key,
        groups.map(([v], i) => [v + (key === "3" ? 0.1 + i / 100 : 0)]),
      ]),
    );
    const mine = perPerson(people, { independent: shifted });
    const other = { file: "other.json", weights: "w", perPerson: perPerson(people, { independent: values }) };
    const { differences } = compareReports(mine, other);
    expect(differences.independent["3"].mean).toBeCloseTo(0.105, 5);
    expect(differences.independent["3"].ci[0]).toBeCloseTo(0.1, 5);
    expect(differences.independent["3"].ci[1]).toBeCloseTo(0.11, 5);
    expect(differences.independent["1"]).toMatchObject({ mean: 0, ci: [0, 0] });
    expect(differences["independent, way closed"]["3"].mean).toBeCloseTo(-0.105 / 0.35, 5);
    const strangers = { ...other, perPerson: { ...other.perPerson, people: "somebody" } };
    expect(() => compareReports(mine, strangers)).toThrow(/measured on other people/);
    expect(() => readOtherReport("/nowhere.json")).toThrow(/no such report/);
  });

  it("are written with lists on one line, and read back the same", () => {
    const report = { a: [1, -2.5, 1e-7], b: { ci: [0.1, 0.2] }, words: ["a", "b"], none: [] };
    const text = reportText(report);
    expect(text).toContain('"a": [1, -2.5, 1e-7]');
    expect(JSON.parse(text)).toEqual(report);
  });
});
