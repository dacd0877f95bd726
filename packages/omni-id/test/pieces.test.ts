import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { modelFile, recogniserModel } from "@omni-id/face";
import { manualSeed, nn, optim, scope, type Tensor, tensor } from "@omni-id/torch";
import { afterAll, describe, expect, it } from "vitest";
import type { WordEncoder } from "../src/backbones/words.ts";
import { resolvePreset } from "../src/presets/index.ts";
import { BaseStage } from "../src/train/base/stage.ts";
import { ControlStage } from "../src/train/control/stage.ts";
import { FlowModel, FlowStage } from "../src/train/flow/stage.ts";
import { LikenessLoss } from "../src/train/likeness.ts";
import { MtdModel, MtdStage } from "../src/train/mtd/stage.ts";
import { Optimisers } from "../src/train/optimisers.ts";
import { Pieces } from "../src/train/pieces.ts";
import { ALONE } from "../src/train/share.ts";
import type { Stage } from "../src/train/stage.ts";
import { type Precision, takeStep } from "../src/train/step.ts";
import { SOLO } from "../src/train/team.ts";
import {
  buildControl,
  buildEncoder,
  buildFlowAdapter,
  buildFlowBase,
  buildMaskedDecoder,
} from "../src/weights/build.ts";
import { cli } from "./command-line.ts";
import { fakePeople } from "./fake-people.ts";
import { TINY_FIRST_STAGE, writeTinyWeights } from "./tiny-weights.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-pieces-"));
afterAll(() => rmSync(root, { recursive: true }));

const preset = resolvePreset("nano", [
  ...TINY_FIRST_STAGE,
  ...["mtd.batch=6", "mtd.inputs=[2]", "mtd.targets=2", "mtd.loss.likeness=0.1", "mtd.loss.perceptual=0.1"],
  ...["mtd.loss.from=0", "mtd.loss.likenessBatch=5"],
  ...["flow.flux.width=32", "flow.flux.heads=2", "flow.flux.axes=[4,6,6]", "flow.flux.singleBlocks=1"],
  ...["flow.base.batch=6", "flow.adapter.batch=6", "flow.adapter.targets=2", "flow.adapter.joined=false"],
  ...["flow.adapter.likenessBatch=5", "flow.control.batch=6", "flow.control.identity=1"],
]);

function base() {
  const model = buildFlowBase(preset);
  (model.prompts as WordEncoder).vocabulary = ["photo", "person"];
  return model;
}
const likeness = () => new LikenessLoss(modelFile(recogniserModel));

const stages: Record<string, () => Stage<never>> = {
  mtd: () => {
    const model = new MtdModel(buildEncoder(preset), buildMaskedDecoder(preset));
    const options = { model, people: fakePeople(8), preset: preset.mtd, seed: 3, likeness: likeness() };
    return new MtdStage(options) as unknown as Stage<never>;
  },
  base: () => {
    const options = { model: base(), people: fakePeople(8), preset: preset.flow, seed: 3 };
    return new BaseStage(options) as unknown as Stage<never>;
  },
  flow: () => {
    const model = new FlowModel(buildEncoder(preset), buildFlowAdapter(preset));
    const frozen = base().requiresGrad_(false);
    const options = { model, base: frozen, people: fakePeople(8), preset: preset.flow, seed: 3, likeness: likeness() };
    return new FlowStage(options) as unknown as Stage<never>;
  },
  control: () => {
    const frozen = base().requiresGrad_(false);
    const model = buildControl(preset, frozen);
    model.initialiseFrom(frozen.flux);
    const identity = { encoder: buildEncoder(preset), decoder: buildFlowAdapter(preset) };
    const options = { model, base: frozen, identity, people: fakePeople(8), preset: preset.flow, seed: 3 };
    return new ControlStage(options) as unknown as Stage<never>;
  },
};

/** A step's figures, and the gradients as the optimisers met them. */
function gradientsOf(name: string, count: number) {
  manualSeed(2);
  const stage = stages[name]();
  const optimisers = new Optimisers(stage.groups, { ...preset.flow.base.optimisation, clip: 1e9 });
  const gradients: (Float32Array | undefined)[] = [];
  optimisers.step = () => {
    for (const { grad } of optimisers.parameters) gradients.push(grad?.toTypedArray() as Float32Array | undefined);
  };
  const pieces = new Pieces(stage, ALONE, count);
  const outcome = takeStep({ stage, optimisers, team: SOLO, precision: "float32", pieces }, 1, undefined);
  return { outcome, gradients, probe: scope(() => stage.probe?.(1, pieces.first)) };
}

describe("a step in pieces", () => {
  it.each(Object.keys(stages))("%s: has the loss and the gradients of the step at once", (name) => {
    const [whole, apart] = [gradientsOf(name, 1), gradientsOf(name, 3)];
    if ("trouble" in whole.outcome || "trouble" in apart.outcome) throw new Error("not finite");
    const [a, b] = [whole.outcome.figures, apart.outcome.figures];
    expect(Object.keys(b)).toEqual(Object.keys(a));
    for (const key of Object.keys(a)) {
      // Likeness of a share without faces says nothing of its own; its mean is that of all.
      expect(Math.abs(b[key] - a[key]), key).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(a[key])));
    }
    const largest = whole.gradients.reduce(
      (most, values) => (values ?? new Float32Array()).reduce((max, value) => Math.max(max, Math.abs(value)), most),
      0,
    );
    for (const [i, values] of whole.gradients.entries()) {
      const other = apart.gradients[i];
      expect(other?.length).toBe(values?.length);
      for (const [k, value] of (values ?? []).entries()) {
        if (Math.abs(value - (other?.[k] ?? 0)) > 2e-6 * largest) expect([i, k, other?.[k]]).toEqual([i, k, value]);
      }
    }
    expect(Object.keys(apart.probe ?? {})).toEqual(Object.keys(whole.probe ?? {}));
  });

  it("is told by the command line, and has to divide the batch", async () => {
    const made = await cli(
      "data",
      "synth",
      "--identities",
      "6",
      "--images",
      "2",
      "--size",
      "96",
      "-o",
      join(root, "data"),
    );
    expect(made.code, made.err).toBe(0);
    await writeTinyWeights(join(root, "weights"));
    const train = (out: string, ...more: string[]) =>
      cli(
        ...["train", "base", "--data", join(root, "data"), "--cache", join(root, "cache"), "--out", join(root, out)],
        ...["--precision", "float32", "--log-every", "1", "--batch", "4", ...more],
        ...[
          "--set",
          "flow.base.optimisation.steps=1",
          "flow.flux.width=32",
          "flow.flux.heads=2",
          "flow.flux.axes=[4,6,6]",
        ],
      );
    const [whole, apart] = [await train("whole"), await train("apart", "--batch-per-device", "1")];
    expect(whole.code, whole.err).toBe(0);
    expect(apart.err).toMatch(/float32, seed 0, a step in 4 pieces/);
    const loss = (text: string) => Number(/loss (\S+)/.exec(text)?.[1]);
    expect(loss(apart.err)).toBeCloseTo(loss(whole.err), 3);
    const odd = await train("odd", "--batch-per-device", "3");
    expect([odd.code, odd.err]).toEqual([
      2,
      expect.stringMatching(/1 devices of so many each do not divide a batch of 4/),
    ]);
    const half = await train("half", "--precision", "float16");
    expect([half.code, half.err]).toEqual([2, expect.stringMatching(/float16 is for a GPU/)]);
  });
});

describe("a scaled loss", () => {
  class Toy extends nn.Module {
    readonly weight = nn.parameter(tensor([1, 2, 3]));
  }

  /** A stage whose gradient overflows at some steps, as float16's would. */
  function toy(overflowAt: readonly number[]) {
    const model = new Toy();
    const stage: Stage<number> = {
      name: "toy",
      model,
      groups: [{ optimiser: "adamw", rate: 1, parameters: [model.weight] }],
      batch: (step) => step,
      describe: String,
      loss: (_, step) => {
        const loss = model.weight.square().sum();
        // √0 adds nothing to the loss; its derivative there is infinite.
        return { loss: overflowAt.includes(step) ? loss.add(model.weight.mul(0).sum().sqrt()) : loss, metrics: {} };
      },
    };
    const settings = { ...preset.mtd.optimisation, steps: 100, warmup: 0, muon: 0 };
    return { stage, model, settings };
  }

  function run(overflowAt: readonly number[], scaler: optim.GradScaler | undefined, steps = 4) {
    const { stage, model, settings } = toy(overflowAt);
    const optimisers = new Optimisers(stage.groups, settings, undefined, scaler);
    const pieces = new Pieces(stage, ALONE, 1);
    const precision: Precision = "float32";
    const figures = Array.from({ length: steps }, (_, i) =>
      takeStep({ stage, optimisers, team: SOLO, precision, pieces }, i + 1, undefined),
    );
    return { figures, weight: model.weight.tolist() as number[], optimisers };
  }

  it("moves the weights as the loss itself does", () => {
    const [plain, scaled] = [run([], undefined), run([], new optim.GradScaler())];
    for (const [i, value] of plain.weight.entries()) expect(scaled.weight[i]).toBeCloseTo(value, 6);
    expect(scaled.figures.map((one) => "figures" in one && one.figures.scale)).toEqual([65536, 65536, 65536, 65536]);
  });

  it("leaves out a step that overflows, halves the scale, and grows it again", () => {
    const scaler = new optim.GradScaler({ interval: 2 });
    const { figures, weight } = run([2], scaler, 5);
    expect(figures.map((one) => "figures" in one && one.figures.scale)).toEqual([65536, 32768, 32768, 65536, 65536]);
    expect(figures.map((one) => "figures" in one && "norm" in one.figures)).toEqual([true, false, true, true, true]);
    // Four steps were made, at the rates of steps 1, 3, 4 and 5; none is infinite.
    expect(weight.every(Number.isFinite)).toBe(true);
    const state = scaler.stateTensors();
    const other = new optim.GradScaler();
    other.loadStateTensors(state);
    expect([...other.stateTensors()].map(([key, value]) => [key, value.item()])).toEqual([
      ["scale", 65536],
      ["calm", 1],
    ]);
    other.loadStateTensors(new Map<string, Tensor>());
    expect(other.scale).toBe(65536);
  });

  it("gives up when no scale helps, and keeps its state in the checkpoint's tensors", () => {
    const always = Array.from({ length: 40 }, (_, i) => i + 1);
    const { figures, weight, optimisers } = run(always, new optim.GradScaler(), 40);
    expect(weight).toEqual([1, 2, 3]);
    const first = figures.findIndex((one) => "trouble" in one);
    expect(first).toBe(26); // 2¹⁶ halved until it is below 2⁻¹⁰
    expect(figures[first]).toMatchObject({ trouble: expect.stringMatching(/gradient of "weight" is not finite/) });
    expect([...optimisers.stateTensors().keys()].filter((key) => key.startsWith("scaler."))).toEqual([
      "scaler.scale",
      "scaler.calm",
    ]);
  });
});
