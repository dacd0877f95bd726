import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { FLUX2_KLEIN } from "../src/backbones/flux-options.ts";
import { QWEN3_4B } from "../src/backbones/qwen3.ts";
import { departures } from "../src/presets/departures.ts";
import { completePreset, presetDifferences, presets, resolvePreset } from "../src/presets/index.ts";
import { presetSchema } from "../src/presets/schema.ts";

describe("presets", () => {
  it("are all valid", () => {
    for (const preset of Object.values(presets)) expect(presetSchema.parse(preset)).toEqual(preset);
  });

  it("hold the paper's numbers", () => {
    const { identity, encoder, mtd } = presets.paper;
    expect([identity.tokens, identity.width]).toEqual([256, 1280]);
    expect([encoder.crossBlocks, encoder.selfBlocks]).toEqual([2, 2]);
    expect([mtd.inputs, mtd.targets, mtd.maskRatio, mtd.optimisation.steps]).toEqual([[3], 8, 0.95, 250_000]);
    expect(mtd.loss).toMatchObject({ likeness: 0, perceptual: 0 });
  });

  it("say what the paper says, in its own sizes and in nano's", () => {
    for (const { mtd, flow, encoder, faceMask } of [presets.paper, presets["nano-paper"]]) {
      expect(encoder.carriedTokens).toBe(0);
      expect(mtd.decoder.poseBlocks).toBe(0);
      for (const { inputs, targets } of [mtd, flow.adapter]) {
        expect(inputs).toEqual([3]);
        expect(targets).toBe(8);
      }
      expect(mtd.tokens).toBe((mtd.imageSize / mtd.decoder.patchSize) ** 2); // all of them
      expect(mtd.loss).toMatchObject({ likeness: 0, perceptual: 0 });
      expect(mtd.backboneRate).toBeGreaterThan(0);
      const plain = { likeness: 0, joined: false, modulation: false, standardise: false, encoderRate: 1 };
      expect(flow.adapter).toMatchObject({ ...plain, times: { kind: "uniform" } });
      const stages = [mtd, flow.adapter, flow.control];
      expect(stages.map(({ optimisation }) => optimisation.muon)).toEqual([0, 0, 0]);
      expect([faceMask, flow.guidance.classifierFree]).toEqual(["segmentation", 1]);
    }
  });

  it("tell why nano departs from the paper, option by option, and the page says the same", () => {
    const found = departures(presets["nano-paper"], presets.nano);
    const written = readFileSync(new URL("../../../results/departures.json", import.meta.url), "utf8");
    expect(JSON.parse(written)).toEqual(found); // omni-id presets nano --against nano-paper --json
    expect(found.map(({ key }) => key)).toContain("encoder.carriedTokens");
    const other = resolvePreset("nano", ["flow.adapter.batch=7"]);
    expect(() => departures(presets["nano-paper"], other)).toThrow(/flow\.adapter\.batch: .*nobody says why/);
    const same = resolvePreset("nano", ["flow.adapter.joined=false"]);
    expect(() => departures(presets["nano-paper"], same)).toThrow(/no departure any more.*flow\.adapter\.joined/);
  });

  it("of older files are completed by what was in effect then, whatever the preset of their name says now", () => {
    for (const preset of [presets.nano, presets.paper]) {
      const { faceMask: _, ...rest } = preset;
      const { guidance: __, ...flow } = preset.flow;
      const { standardise: ___, ...adapter } = flow.adapter;
      const old = JSON.stringify({ ...rest, flow: { ...flow, adapter } });
      const completed = completePreset(JSON.parse(old));
      expect(completed?.faceMask).toBe("outline-skin");
      expect(completed?.flow.guidance).toEqual({ distilled: 3.5, classifierFree: 3, text: 1 });
      expect(completed?.flow.adapter).toEqual({ ...preset.flow.adapter, standardise: true });
    }
    expect(completePreset(presets["nano-paper"])).toEqual(presets["nano-paper"]);
  });

  it("of the time when both stages had one size give it to both, and the shipped ones are of that time", () => {
    for (const preset of Object.values(presets)) {
      const { imageSize: _, ...mtd } = preset.mtd;
      const { imageSize: __, ...flow } = preset.flow;
      const completed = completePreset({ ...preset, mtd, flow, imageSize: 96 });
      expect(completed).toEqual({
        ...preset,
        mtd: { ...preset.mtd, imageSize: 96 },
        flow: { ...preset.flow, imageSize: 96 },
      });
    }
    expect([presets.paper.mtd.imageSize, presets.paper.flow.imageSize]).toEqual([224, 512]);
    expect(() => resolvePreset("nano", ["imageSize=96"])).toThrow(/did you mean "mtd.imageSize" or "flow.imageSize"/);
  });

  it("takes klein as it is published, and else the paper's recipe", () => {
    const { flux, prompts, packing } = presets.klein.flow;
    expect({ ...flux, inChannels: 128, theta: 2000 }).toEqual(FLUX2_KLEIN);
    expect([prompts, packing]).toEqual([{ kind: "qwen3", length: 512, layers: [...QWEN3_4B.outputs] }, 1]);
    expect(presets.klein.flow.adapter).toEqual(presets.paper.flow.adapter);
    expect(presets.klein.mtd).toEqual(presets.paper.mtd);
    expect(presets.klein.flow.imageSize).toBe(512);
  });

  it("takes single values", () => {
    const preset = resolvePreset("nano", ["mtd.optimisation.steps=7", "mtd.inputs=[3]", "mtd.loss.likeness=0.1"]);
    expect(preset.mtd.optimisation.steps).toBe(7);
    expect(preset.mtd.inputs).toEqual([3]);
    expect(presets.nano.mtd.optimisation.steps).not.toBe(7);
  });

  it.each([
    [["mtd.optimisation.step=7"], /"mtd.optimisation.step" is not known; did you mean "mtd.optimisation.steps"/],
    [["mdt.batch=7"], /did you mean "mtd.batch"/],
    [["steps=7"], /did you mean "mtd.optimisation.steps"/],
    [["optimisation.clip=7"], /did you mean "mtd.optimisation.clip"/],
    [["mtd.batch.size=7"], /did you mean "mtd.batch"|known: /],
    [["mtd.loss=7"], /"mtd.loss" is not known/],
    [["mtd.batch"], /write key=value/],
    [["mtd.batch=-1"], /mtd\.batch: /],
    [["mtd.maskRatio=2"], /mtd\.maskRatio: /],
    [["mtd.inputs=[1,"], /is neither a number, a list/],
  ])("refuses %j with a reason", (overrides, message) => {
    expect(() => resolvePreset("nano", overrides)).toThrow(message);
  });

  it("tells what differs", () => {
    const changed = resolvePreset("nano", ["mtd.batch=8", "mtd.inputs=[3]"]);
    expect(presetDifferences(presets.nano, presets.nano)).toEqual([]);
    expect(presetDifferences(presets.nano, changed)).toEqual(["mtd.batch 16 → 8", "mtd.inputs [1,2,3,4,5] → [3]"]);
    expect(presetDifferences(presets.nano, presets.paper)).toContain("backbone.layers absent → 32");
  });

  it("names the nearest preset", () => {
    expect(() => resolvePreset("nanno")).toThrow(/did you mean "nano"/);
  });
});
