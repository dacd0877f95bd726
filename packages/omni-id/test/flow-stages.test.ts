import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manualSeed, type nn, noGrad, randn, scope, type Tensor, tensor, zeros } from "@omni-id/torch";
import { afterAll, describe, expect, it } from "vitest";
import { expectClose } from "../../torch/test/close.ts";
import type { WordEncoder } from "../src/backbones/words.ts";
import type { FlowBase } from "../src/flow-base.ts";
import { landmarkPictures } from "../src/pictures/landmark-pictures.ts";
import { resolvePreset } from "../src/presets/index.ts";
import { BaseStage, startFromZero } from "../src/train/base/stage.ts";
import { ControlStage } from "../src/train/control/stage.ts";
import { learningBase } from "../src/train/flow/learning-base.ts";
import { FlowModel, FlowStage } from "../src/train/flow/stage.ts";
import type { LikenessLoss } from "../src/train/likeness.ts";
import { train } from "../src/train/loop.ts";
import { RunLog } from "../src/train/run-log.ts";
import type { Stage } from "../src/train/stage.ts";
import {
  buildControl,
  buildEncoder,
  buildFlowAdapter,
  buildFlowBase,
  buildRepresentation,
} from "../src/weights/build.ts";
import { loadEncoder } from "../src/weights/first-stage.ts";
import {
  loadControl,
  loadFlowAdapter,
  loadFlowBase,
  startControl,
  startFlowAdapter,
  startFlowBase,
} from "../src/weights/flow.ts";
import { fakePeople } from "./fake-people.ts";
import { tinyPreset, writeTinyFlowWeights, writeTinyWeights } from "./tiny-weights.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-flow-"));
afterAll(() => rmSync(root, { recursive: true }));

const SMALL = [
  "identity.tokens=4",
  "identity.width=16",
  "encoder.headWidth=8",
  "encoder.carriedTokens=0",
  "flow.flux.width=32",
  "flow.flux.heads=2",
  "flow.flux.axes=[4,6,6]",
  "flow.flux.singleBlocks=1",
  "flow.base.batch=4",
  "flow.adapter.batch=2",
  "flow.adapter.joined=false",
  "flow.adapter.likeness=0",
  "flow.control.batch=4",
];
const preset = resolvePreset("nano", SMALL);
const people = fakePeople(6);

function freshBase(): FlowBase {
  manualSeed(2);
  const base = buildFlowBase(preset);
  (base.prompts as WordEncoder).vocabulary = ["photo", "person", "man", "red", "hair"];
  return base;
}

/** A stage with its weights, always the same ones. */
const stages: Record<string, () => Stage<never>> = {
  base: () => {
    const model = freshBase();
    startFromZero(model);
    return new BaseStage({ model, people, preset: preset.flow, seed: 3 }) as unknown as Stage<never>;
  },
  flow: () => {
    const base = freshBase().requiresGrad_(false);
    const model = new FlowModel(buildEncoder(preset), buildFlowAdapter(preset));
    return new FlowStage({ model, base, people, preset: preset.flow, seed: 3 }) as unknown as Stage<never>;
  },
  // The base learns along, and some pictures are told nobody.
  "flow with its base": () => {
    const base = freshBase();
    const along = resolvePreset("nano", [...SMALL, "flow.adapter.baseRate=0.5", "flow.adapter.told=0.5"]);
    const model = new FlowModel(buildEncoder(preset), buildFlowAdapter(preset), { base });
    return new FlowStage({ model, base, people, preset: along.flow, seed: 3 }) as unknown as Stage<never>;
  },
  // Section 4.2, with a representation that the encoder is compared with.
  "flow with landmarks": () => {
    const base = freshBase().requiresGrad_(false);
    const compared = resolvePreset("nano-paper", [
      ...SMALL,
      "representation.kind=arcface",
      "flow.adapter.landmarks=true",
    ]);
    const control = buildControl(compared, base);
    control.initialiseFrom(base.flux);
    control.requiresGrad_(true);
    const model = new FlowModel(buildRepresentation(compared), buildFlowAdapter(compared), { control });
    return new FlowStage({ model, base, people, preset: compared.flow, seed: 3 }) as unknown as Stage<never>;
  },
  control: () => {
    const base = freshBase().requiresGrad_(false);
    const identity = { encoder: buildEncoder(preset), decoder: buildFlowAdapter(preset) };
    const model = buildControl(preset, base);
    model.initialiseFrom(base.flux);
    return new ControlStage({
      model,
      base,
      identity,
      people,
      preset: preset.flow,
      seed: 3,
    }) as unknown as Stage<never>;
  },
};

async function run(name: string, out: string, steps: number, { stopAt = steps } = {}) {
  const stage = stages[name]();
  const log = new RunLog(out, { stream: { isTTY: false, write: () => true } as unknown as NodeJS.WriteStream });
  const controller = new AbortController();
  const draw = stage.batch.bind(stage);
  stage.batch = (step: number) => {
    if (step === stopAt && stopAt < steps) controller.abort();
    return draw(step);
  };
  const optimisation = { ...preset.flow.base.optimisation, steps };
  await train(stage, {
    out,
    seed: 3,
    preset,
    optimisation,
    precision: "float32",
    log,
    resume: true,
    signal: controller.signal,
  });
  return readFileSync(join(out, "last.safetensors"));
}

describe("stages of the flow model", () => {
  for (const name of Object.keys(stages)) {
    it(`${name}: a run that was stopped and resumed ends in the bytes of one that was not`, async () => {
      const whole = await run(name, join(root, `${name}-whole`), 6);
      await run(name, join(root, `${name}-parts`), 6, { stopAt: 3 });
      const parts = await run(name, join(root, `${name}-parts`), 6);
      expect(parts.equals(whole)).toBe(true);
    });

    it(`${name}: learns something from the first step on, and the frozen parts hold no gradient`, () => {
      const stage = stages[name]();
      const { loss } = stage.loss(stage.batch(1), 1);
      loss.backward();
      const trained = stage.groups.flatMap((group) => group.parameters);
      expect(trained.some((p) => (p.grad?.abs().max().item() ?? 0) > 0)).toBe(true);
      expect(stage.describe(stage.batch(1))).toMatch(/fake-\d\.\d/);
    });
  }
});

describe("training on from given weights", () => {
  it("starts as they are: base, latents and words, adapter, ControlNet, of other hashes too", async () => {
    const folder = join(root, "given");
    await writeTinyWeights(folder, 5);
    await writeTinyFlowWeights(folder, 5);
    const given = await loadFlowBase(folder);
    const tiny = tinyPreset();
    const same = (a: nn.Module, b: nn.Module) => {
      const wanted = b.stateDict();
      for (const [key, value] of a.stateDict()) expectClose(value, wanted.get(key) as Tensor, { atol: 0 });
    };

    const base = buildFlowBase(tiny);
    expect(await startFlowBase(base, folder)).toMatchObject({ stage: "flow" });
    same(base, given.base);
    expect((base.prompts as WordEncoder).vocabulary).toEqual(["photo", "person", "smiling"]);
    expect(base.namedParameters().every(([, parameter]) => parameter.requiresGrad)).toBe(true);

    const encoder = await loadEncoder(folder);
    const adapter = buildFlowAdapter(tiny);
    await startFlowAdapter(adapter, folder);
    same(adapter, await loadFlowAdapter(folder, { encoder, base: given }));
    const control = buildControl(tiny, base);
    await startControl(control, folder);
    same(control, await loadControl(folder, given));
    await expect(startFlowBase(buildFlowBase(preset), join(root, "nowhere"))).rejects.toThrow(/no such weights/);
  });

  it("a picture that is told nobody is asked of the bare base, and the share of those is what was said", () => {
    const along = resolvePreset("nano", [...SMALL, "flow.adapter.told=0.7"]);
    const base = freshBase();
    const decoder = buildFlowAdapter(preset);
    // An adapter that says something.
    scope(() => {
      for (const parameter of decoder.parameters()) parameter.detach().copy_(randn(parameter.shape).mul(0.3));
    });
    const model = new FlowModel(buildEncoder(preset), decoder, { base });
    const stage = new FlowStage({ model, base, people, preset: along.flow, seed: 3 });
    const told = Array.from({ length: 200 }, (_, step) => stage.batch(step).told ?? []).flat();
    expect(told.filter(Boolean).length / told.length).toBeCloseTo(0.7, 1);

    const [some, all, none] = noGrad(() => {
      manualSeed(4);
      const [tokens, channels] = base.tokenShape;
      const [x, identities] = [randn([2, tokens, channels]), randn([2, 4, 16])];
      const velocity = (conditions?: Parameters<FlowBase["velocity"]>[3]) =>
        base.velocity(x, zeros([2]).add(0.6), base.prompts.encode(["photo person", "man"]), conditions);
      return [
        velocity(decoder.conditions(identities, tensor([1, 0], { dtype: "float32" }))),
        velocity(decoder.conditions(identities)),
        velocity(),
      ];
    });
    const row = (of: Tensor, place: number) => scope(() => of.narrow(0, place, 1));
    expectClose(row(some, 0), row(all, 0));
    expectClose(row(some, 1), row(none, 1));
    expect(scope(() => row(all, 1).sub(row(none, 1)).abs().max().item())).toBeGreaterThan(0.001);
  });

  it("tokens beside the text are told of every picture, and a published base stays frozen: both are said", () => {
    const joined = buildFlowAdapter(resolvePreset("nano", [...SMALL, "flow.adapter.joined=true"]));
    expect(() => joined.conditions(randn([2, 4, 16]), zeros([2]))).toThrow(/flow\.adapter\.joined=false/);
    const paper = resolvePreset("paper", ["flow.adapter.baseRate=0.1"]);
    expect(() => learningBase(paper, freshBase())).toThrow(/is a published one, and stays frozen/);
  });

  it("likeness counts between its two times alone", () => {
    const own = { ...preset.flow, adapter: { ...preset.flow.adapter, batch: 6, likeness: 1, likenessBatch: 100 } };
    const base = freshBase().requiresGrad_(false);
    const model = new FlowModel(buildEncoder(preset), buildFlowAdapter(preset));
    const likeness = {} as LikenessLoss;
    const times = (likenessAbove: number, likenessBelow: number) => {
      const adapter = { ...own.adapter, likenessAbove, likenessBelow };
      const stage = new FlowStage({ model, base, people, preset: { ...own, adapter }, seed: 3, likeness });
      const batches = [1, 2, 3].map((step) => stage.batch(step));
      return batches.flatMap(({ t, seen }) => seen.map((place) => (t.tolist() as number[])[place]));
    };
    expect(times(0, 1)).toHaveLength(3 * 6 * own.adapter.targets);
    const [some, all] = [times(0.4, 0.85), times(0, 1)];
    expect(some.toSorted()).toEqual(all.filter((time) => time >= 0.4 && time < 0.85).toSorted());
    expect(some.length).toBeGreaterThan(0);
  });
});

describe("what starts at zero", () => {
  const ask = (base: FlowBase, steering: Parameters<FlowBase["velocity"]>[3]): Tensor =>
    noGrad(() => {
      manualSeed(4);
      const [tokens, channels] = base.tokenShape;
      const x = randn([2, tokens, channels]);
      return base.velocity(x, zeros([2]).add(0.6), base.prompts.encode(["photo person", "man"]), steering);
    });

  it("leaves the base's output as it is, bit for bit: adapter, modulation, ControlNet", () => {
    const base = freshBase();
    const bare = ask(base, {});
    const decoder = buildFlowAdapter(preset);
    const identities = randn([2, 4, 16]);
    expectClose(ask(base, decoder.conditions(identities)), bare, { atol: 0, rtol: 0 });
    const control = buildControl(preset, base);
    control.initialiseFrom(base.flux);
    const pictures = landmarkPictures(people.landmarksOf([0, 1]), 64);
    expectClose(ask(base, control.steer(pictures, decoder.conditions(identities))), bare, { atol: 0, rtol: 0 });
  });
});
