import { readFileSync } from "node:fs";
import { autocast, type DType, measureMemory, randn, rehearse, scope, zeros } from "@omni-id/torch";
import { describe, expect, it } from "vitest";
import { Flux } from "../src/backbones/flux.ts";
import { imagePositions, textPositions } from "../src/backbones/flux-positions.ts";
import { Block } from "../src/blocks.ts";
import { openBlank, type StageName } from "../src/plan/open-blank.ts";
import { checkpointOf, optimisationOf, rehearseStage } from "../src/plan/rehearse-stage.ts";
import { resolvePreset } from "../src/presets/index.ts";
import { Optimisers } from "../src/train/optimisers.ts";
import { cli } from "./command-line.ts";
import { fakePeople } from "./fake-people.ts";

type Precision = Extract<DType, "bfloat16" | "float32">;

const small = resolvePreset("nano", [
  ...["mtd.batch=4", "mtd.inputs=[3]", "mtd.loss.likenessBatch=8", "flow.base.batch=16"],
  ...["flow.adapter.batch=4", "flow.adapter.inputs=[3]", "flow.adapter.likenessBatch=6", "flow.control.batch=16"],
  ...["mtd", "flow.base", "flow.adapter", "flow.control"].map((part) => `${part}.optimisation.steps=2`),
]);

/** What LibTorch's allocator tells of a stage that is opened and trained for three steps. */
function measured(name: StageName, precision: Precision): number {
  const people = fakePeople(16);
  const { peak } = measureMemory(() => {
    const { stage } = openBlank(name, small, people, checkpointOf(small, name));
    const optimisers = new Optimisers(stage.groups, optimisationOf(small, name));
    for (const step of [1, 1, 2]) {
      scope(() => {
        const { loss } = autocast({ dtype: precision, enabled: precision !== "float32" }, () =>
          stage.loss(stage.batch(step), step),
        );
        loss.backward();
        optimisers.clip();
        optimisers.step(step);
      });
    }
  });
  return peak;
}

describe("memory of a nano stage, planned and measured", () => {
  it.each([
    ["mtd", "float32"],
    ["base", "bfloat16"],
    ["flow", "bfloat16"],
    ["control", "float32"],
  ] as const)("%s in %s: within a tenth", (name, precision) => {
    const need = rehearseStage({ name, preset: small, device: "cpu", precision });
    const peak = measured(name, precision);
    expect(need.peak / peak).toBeGreaterThan(0.9);
    expect(need.peak / peak).toBeLessThan(1.1);
    // The sum of all kinds is never less: they need not all be there at once.
    const { weights, gradients, optimiser, activations } = need;
    expect(weights + gradients + optimiser + activations).toBeGreaterThanOrEqual(need.peak);
  });
});

describe("operations of a block, counted and by hand", () => {
  it("the encoder's cross-attention block", () => {
    const [batch, queries, keys, width, context] = [3, 10, 14, 64, 48];
    const rehearsed = rehearse({ device: "cpu" }, (rehearsal) => {
      const block = new Block({ width, context, headWidth: 16 });
      const x = randn([batch, queries, width]).requiresGrad_();
      const output = block.forward(x, randn([batch, keys, context]).requiresGrad_());
      const forward = rehearsal.now().flops;
      output.sum().backward();
      return { forward, backward: rehearsal.now().flops - forward };
    });
    const projections = queries * (width * width * 2 + 2 * width * 4 * width) + keys * context * 2 * width;
    const forward = 2 * batch * (projections + 2 * queries * keys * width);
    expect(rehearsed).toEqual({ forward, backward: 2 * forward });
  });

  it.each([1, 2] as const)("FLUX.%i: a double and a single block", (generation) => {
    const [batch, text, image, width] = [2, 5, 16, 64];
    const [inChannels, contextWidth, mlpRatio] = [8, 24, generation === 1 ? 4 : 3];
    const vectorWidth = generation === 1 ? 12 : 0;
    const axes = generation === 1 ? [4, 6, 6] : [4, 4, 4, 4];
    const flops = rehearse({ device: "cuda" }, (rehearsal) => {
      const flux = new Flux({
        ...{ generation, inChannels, vectorWidth, contextWidth, width, heads: 4, mlpRatio, axes },
        ...{ doubleBlocks: 1, singleBlocks: 1, guidance: false },
      });
      flux.forward({
        img: zeros([batch, image, inChannels]),
        imgIds: imagePositions({ rows: 4, columns: 4 }, flux.options),
        txt: zeros([batch, text, contextWidth]),
        txtIds: textPositions({ length: text }, flux.options),
        y: generation === 1 ? zeros([batch, vectorWidth]) : undefined,
        timesteps: zeros([batch]),
      });
      return rehearsal.now().flops;
    });
    const [tokens, hidden] = [text + image, mlpRatio * width];
    const gated = generation === 2 ? 2 : 1;
    // Of each token: queries, keys, values, the way out, and the MLP; then the scores and what they weigh.
    const block = tokens * (4 * width ** 2 + (gated + 1) * width * hidden) + 2 * tokens ** 2 * width;
    // Shifts, scales and gates: six for each stream of a double block, three for a single one, two at the end.
    const modulation = (6 + 6 + 3 + 2) * width ** 2;
    const embeddings = 256 * width + width ** 2 + (vectorWidth > 0 ? vectorWidth * width + width ** 2 : 0);
    const edges = image * 2 * inChannels * width + text * contextWidth * width;
    expect(flops).toBe(2 * batch * (2 * block + modulation + embeddings + edges));
  });
});

describe("omni-id plan", () => {
  it("knows the paper's sizes, and what checkpoints are worth", async () => {
    const { code, out } = await cli("plan", "--preset", "paper", "--gpus", "8", "--gpu", "h100", "--json");
    expect(code).toBe(0);
    const { stages, hours, disk } = JSON.parse(out);
    expect(stages.map(({ name }: { name: string }) => name)).toEqual(["mtd", "flow", "control", "mtd-decoder"]);
    for (const { memory, flops, hours: own, picturesPerSecond, disk: left, network } of stages) {
      const { weights, gradients, optimiser, activations, data, total } = memory;
      expect(weights + gradients + optimiser + activations + data).toBe(total);
      for (const value of [flops, own, picturesPerSecond, left.checkpoint, network.pictures, network.gradients]) {
        expect(value).toBeGreaterThan(0);
      }
    }
    const [mtd, flow] = stages;
    // Gradients and their copies for the other devices; two averages and the moving one.
    expect(mtd.memory.gradients / (8 * mtd.trained)).toBeCloseTo(1, 4);
    expect(mtd.memory.optimiser / (12 * mtd.trained)).toBeCloseTo(1, 2);
    // FLUX.1-dev and its autoencoder.
    expect(flow.frozen).toBe(11_901_408_320 + 83_819_683);
    expect(flow.memory.weights).toBeGreaterThan(2 * flow.frozen + 4 * flow.trained);
    expect(flow.checkpoints.with.activations).toBeLessThan(0.3 * flow.checkpoints.without.activations);
    expect(flow.advice[0]).toBe("a batch of 4 is not for 8 devices: --batch 8");
    expect(stages.every(({ fits }: { fits: boolean }) => fits)).toBe(true);
    expect(hours).toBeGreaterThan(1);
    expect(disk.total).toBe(disk.shards + disk.prepared + disk.runs);
  });

  it("foretells what an H200 has measured", () => {
    const { parts } = JSON.parse(readFileSync(new URL("../../../results/gpu.json", import.meta.url), "utf8"));
    const found = (name: string): number =>
      parts["full size"].findings.find((one: { name: string }) => one.name.startsWith(name)).value;
    const preset = resolvePreset("paper");
    const need = rehearseStage({ name: "flow", preset, device: "cuda", precision: "bfloat16" });
    // 4 people × 8 pictures of 512 px, with checkpoints.
    expect(need.peak / (found("stage two: memory at its peak") * 2 ** 30)).toBeGreaterThan(0.9);
    expect(need.peak / (found("stage two: memory at its peak") * 2 ** 30)).toBeLessThan(1.1);
    const rate = need.flops / found("stage two, 4 people × 8 pictures of 512 px: a step") / 1e12;
    const share = found("stage two: share of the product rate") * found("bfloat16 products");
    expect(rate / share).toBeGreaterThan(0.9);
    expect(rate / share).toBeLessThan(1.1);
  });

  it("says what to change where a stage does not fit, with what that comes to", async () => {
    const args = ["--preset", "klein", "--gpu", "rtx4090", "--set", "flow.control.batch=1"];
    const { code, out } = await cli("plan", ...args);
    expect(code).toBe(0);
    expect(out).toMatch(/does not fit: mtd, flow/);
    expect(out).toMatch(/! --batch-per-device \d+, the rest of the batch in pieces: [\d.]+ GB, which fits/);
    expect(out).toMatch(/! cards with room for it: .*h100/);
  });

  it("needs no file of the paper's models, and names what it does not know", async () => {
    const unknown = await cli("plan", "--gpu", "h10");
    expect(unknown.code).toBe(2);
    expect(unknown.err).toContain('the card "h10" is not known; did you mean "h100"?');
    expect((await cli("plan", "--preset", "papr")).code).toBe(2);
    expect((await cli("plan", "--gpus", "0")).code).toBe(2);
    const missing = await cli("plan", "--data", "/nowhere");
    expect(missing.code).toBe(1);
    expect(missing.err).toContain("/nowhere: no shards (*.tar) here");
  });
});
