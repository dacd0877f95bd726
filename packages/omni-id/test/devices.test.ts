import { checkDevices, noGrad, randn, setDefaultDevice, Tensor, zeros } from "@omni-id/torch";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { WordEncoder } from "../src/backbones/words.ts";
import type { FlowBase } from "../src/flow-base.ts";
import { drawPictures } from "../src/generate/draw.ts";
import { landmarkPictures } from "../src/pictures/landmark-pictures.ts";
import { resolvePreset } from "../src/presets/index.ts";
import { BaseStage, startFromZero } from "../src/train/base/stage.ts";
import { ControlStage } from "../src/train/control/stage.ts";
import { FlowModel, FlowStage } from "../src/train/flow/stage.ts";
import { MtdModel, MtdStage } from "../src/train/mtd/stage.ts";
import type { Stage } from "../src/train/stage.ts";
import {
  buildControl,
  buildEncoder,
  buildFlowAdapter,
  buildFlowBase,
  buildMaskedDecoder,
} from "../src/weights/build.ts";
import { fakePeople } from "./fake-people.ts";
import { TINY_FIRST_STAGE } from "./tiny-weights.ts";

/*
 * The meta device stands in for a GPU: its tensors have no numbers, so an operand made in main memory would go
 * unnoticed, but for the check mode, which refuses every operand of another device than the default one.
 */
beforeEach(() => {
  setDefaultDevice("meta");
  const item = Tensor.prototype.item;
  vi.spyOn(Tensor.prototype, "item").mockImplementation(function (this: Tensor) {
    return this.device === "meta" ? 0.5 : item.call(this);
  });
  const read = Tensor.prototype.toTypedArray;
  vi.spyOn(Tensor.prototype, "toTypedArray").mockImplementation(function (this: Tensor) {
    return this.device === "meta" ? new Uint8Array(this.numel) : read.call(this);
  });
  // LibTorch 1.13 reads how often from the device.
  vi.spyOn(Tensor.prototype, "repeatInterleave").mockImplementation(function (this: Tensor, times) {
    return this.unsqueeze(1)
      .repeat([1, times as number, 1, 1])
      .flatten(0, 1);
  });
  const tolist = Tensor.prototype.tolist;
  vi.spyOn(Tensor.prototype, "tolist").mockImplementation(function (this: Tensor) {
    if (this.device !== "meta") return tolist.call(this);
    return Array.from({ length: this.shape[0] }, () => 0.5);
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  checkDevices(false);
  setDefaultDevice("cpu");
});

/** Prepared people: their files lie in main memory and are moved. */
const people = () => fakePeople(6);

const preset = resolvePreset("nano", [
  ...TINY_FIRST_STAGE,
  "mtd.batch=2",
  "flow.flux.width=32",
  "flow.flux.heads=2",
  "flow.flux.axes=[4,6,6]",
  "flow.flux.singleBlocks=1",
  "flow.base.batch=4",
  "flow.adapter.batch=2",
  "flow.adapter.likeness=0",
  "flow.control.batch=4",
]);

function freshBase(): FlowBase {
  const base = buildFlowBase(preset);
  (base.prompts as WordEncoder).vocabulary = ["photo", "person", "man", "red", "hair"];
  return base;
}

const identity = () => ({ encoder: buildEncoder(preset), decoder: buildFlowAdapter(preset) });

const stages: Record<string, () => Stage<never>> = {
  mtd: () => {
    const model = new MtdModel(buildEncoder(preset), buildMaskedDecoder(preset));
    return new MtdStage({ model, people: people(), preset: preset.mtd, seed: 3 }) as unknown as Stage<never>;
  },
  base: () => {
    const model = freshBase();
    startFromZero(model);
    return new BaseStage({ model, people: people(), preset: preset.flow, seed: 3 }) as unknown as Stage<never>;
  },
  flow: () => {
    const base = freshBase().requiresGrad_(false);
    const { encoder, decoder } = identity();
    const model = new FlowModel(encoder, decoder);
    const options = { model, base, people: people(), preset: preset.flow, seed: 3 };
    return new FlowStage(options) as unknown as Stage<never>;
  },
  control: () => {
    const base = freshBase().requiresGrad_(false);
    const model = buildControl(preset, base);
    model.initialiseFrom(base.flux);
    const options = { model, base, identity: identity(), people: people(), preset: preset.flow, seed: 3 };
    return new ControlStage(options) as unknown as Stage<never>;
  },
};

describe("on a device of its own", () => {
  it.each(Object.keys(stages))("%s: a step makes no tensor in main memory", (name) => {
    const stage = stages[name]();
    checkDevices(true);
    expect(stage.model.parameters().every(({ device }) => device === "meta")).toBe(true);
    const { loss } = stage.loss(stage.batch(1), 1);
    expect(loss.device).toBe("meta");
    loss.backward();
    const trained = stage.groups.flatMap(({ parameters }) => parameters);
    expect(trained.some(({ grad }) => grad?.device === "meta")).toBe(true);
    stage.probe?.(1);
  });

  it("draws pictures of an identity with landmarks", () => {
    noGrad(() => {
      const base = freshBase();
      const decoder = buildFlowAdapter(preset);
      const control = buildControl(preset, base);
      checkDevices(true);
      const pictures = landmarkPictures([new Float32Array(136).fill(30)], 64);
      const settings = { count: 1, seed: 1, steps: 2, guidance: 2, prompt: "photo" };
      const told = { conditions: decoder.conditions(randn([1, 4, 16])), control: control.steer(pictures) };
      expect(drawPictures(base, { ...settings, ...told }).device).toBe("meta");
    });
  });

  it("refuses an operand that was made elsewhere", () => {
    checkDevices(true);
    expect(() => zeros([2]).add(zeros([2], { device: "cpu" }))).toThrow(/cpu/);
  });
});
