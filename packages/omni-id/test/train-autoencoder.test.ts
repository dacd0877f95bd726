import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeSyntheticShards } from "@omni-id/data";
import { manualSeed, noGrad, randn, scope, tensor, zeros } from "@omni-id/torch";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectClose } from "../../torch/test/close.ts";
import { SmoothedAutoencoder } from "../src/backbones/smoothed-autoencoder.ts";
import { flowError } from "../src/flow-base.ts";
import { faceTokens } from "../src/pictures/target-tokens.ts";
import { resolvePreset } from "../src/presets/index.ts";
import { openAutoencoderStage } from "../src/train/autoencoder/open.ts";
import { psnr } from "../src/train/autoencoder/psnr.ts";
import { openBaseStage } from "../src/train/base/open.ts";
import { FaceWeights, facesAlone } from "../src/train/face-weights.ts";
import { loadFlowBase } from "../src/weights/flow.ts";
import { cli } from "./command-line.ts";
import { TINY_SCENES } from "./tiny-weights.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-autoencoder-"));
afterAll(() => rmSync(root, { recursive: true }));
const [data, cache] = ["data", "cache"].map((name) => join(root, name));
const preset = resolvePreset("nano-scenes", TINY_SCENES);
const options = { data: [data], cache, preset, seed: 1, note: () => {} };

beforeAll(async () => {
  await writeSyntheticShards({ identities: 7, images: 1, scenes: 2, size: 32, seed: 2, out: data, workers: 2 });
}, 120_000);

const smoother = { channels: 4, blocks: 1, groups: 2 };

describe("the autoencoder", () => {
  it("draws at first what its directions give, and then what its smoother adds", () => {
    manualSeed(1);
    const latents = new SmoothedAutoencoder({ patchSize: 4, channels: 48, smoother });
    const x = scope(() => randn([2, 3, 16, 16]));
    latents.fit(x);
    const z = latents.encode(x);
    expect(z.shape).toEqual([2, 48, 4, 4]);
    expectClose(latents.decode(z), x, { atol: 1e-3 });
    scope(() => latents.smoother.conv_out.bias?.detach().add_(0.5));
    expectClose(
      scope(() => latents.decode(z).sub(0.5)),
      x,
      { atol: 1e-3 },
    );
  });

  it("refuses patches that it cannot divide", () => {
    expect(() => new SmoothedAutoencoder({ patchSize: 6, channels: 4, smoother })).toThrow(
      /patchSize=6: what smooths its seams wants a multiple of 4/,
    );
  });

  it("is told of in decibels: an error of 0.2 everywhere is 20 dB, and a mask says where to look", () => {
    const truth = zeros([1, 3, 2, 2]);
    const made = scope(() => truth.add(0.2));
    expect(psnr(made, truth)).toBeCloseTo(20, 4);
    const half = scope(() => made.mul(tensor([[1, 0]])));
    const left = tensor([[1, 0]])
      .expand([2, 2])
      .view([1, 1, 2, 2]);
    expect(psnr(half, truth, left)).toBeCloseTo(20, 4);
    expect(psnr(half, truth)).toBeCloseTo(20 + 10 * Math.log10(2), 4);
  });
});

describe("its training", () => {
  it("learns of pictures and their noisy latents; the latents themselves stay", async () => {
    const { stage, model, people } = await openAutoencoderStage(options);
    const [first, again, other] = [0, 0, 1].map((step) => stage.batch(step));
    expect(again.rows).toEqual(first.rows);
    expectClose(again.noise, first.noise);
    expect(other.rows).not.toEqual(first.rows);
    expect(first.noise.shape).toEqual([4, 24, 4, 4]);

    // Nothing is added yet: the loss is the directions' own, a face's pixels counted four times.
    const { loss } = stage.loss(first);
    const byHand = noGrad(() =>
      scope(() => {
        const truth = people.cropsOf(first.rows).float().div(127.5).sub(1);
        const off = model.decode(model.encode(truth).add(first.noise)).sub(truth).abs();
        const weights = people.masksOf(first.rows).unsqueeze(1).float().mul(3).add(1);
        return off.mul(weights).sum().div(weights.sum().mul(3)).item();
      }),
    );
    expect(loss.item()).toBeCloseTo(byHand, 4);
    loss.backward();
    expect(model.smoother.conv_out.weight.grad).toBeDefined();
    expect(model.directions.requiresGrad).toBe(false);
  });

  it("is refused where nothing smooths the latents", async () => {
    const linear = resolvePreset("nano-scenes", [
      ...TINY_SCENES,
      'flow.latents={"kind":"linear","patchSize":8,"channels":24}',
    ]);
    await expect(openAutoencoderStage({ ...options, preset: linear })).rejects.toThrow(
      /latents of the kind "linear", which nothing smooths; take nano-scenes/,
    );
  });

  it("comes before the base, or after it: the base's hash stays, and so do its latents", async () => {
    const common = ["--data", data, "--cache", cache, "--preset", "nano-scenes", "--held-out-every", "0"] as const;
    const small = ["--set", ...TINY_SCENES, "flow.base.optimisation.steps=2"];
    const run = async (stage: string, out: string, ...more: string[]) => {
      const { code, err } = await cli("train", stage, ...common, "--out", join(root, out), ...more, ...small);
      expect(code, err).toBe(0);
      return join(root, out, "weights");
    };
    const alone = await run("autoencoder", "autoencoder");
    const base = await run("base", "base", "--autoencoder", alone);
    const [file, copy] = [alone, base].map((folder) => readFileSync(join(folder, "autoencoder.safetensors")));
    expect(copy.subarray(-1000).equals(file.subarray(-1000))).toBe(true);
    const plain = await run("base", "plain");
    const after = await run("autoencoder", "after", "--base", plain);
    const [before, then] = [await loadFlowBase(plain), await loadFlowBase(after)];
    expect(then.hash).toBe(before.hash);
    const states = [before, then].map(({ base: { latents } }) => latents.stateDict());
    expectClose(states[1].get("directions") as never, states[0].get("directions") as never);
    expect(scope(() => states[0].get("smoother.conv_out.weight")?.abs().max().item())).toBe(0);
    expect(scope(() => states[1].get("smoother.conv_out.weight")?.abs().max().item())).toBeGreaterThan(0);
  }, 120_000);
});

describe("faces", () => {
  it("weigh more in a flow loss, with a mean of one in each picture", async () => {
    const { people } = await openBaseStage(options);
    const rows = [0, 3];
    const weights = new FaceWeights(people, { patchSize: 8, weight: 3 }).of(rows);
    const facesOnly = facesAlone(people, rows, 8).tolist() as number[][];
    const touched = Array.from(faceTokens(people.masksOf(rows), 8));
    expect(weights.shape).toEqual([2, 16]);
    for (const [i, row] of (weights.tolist() as number[][]).entries()) {
      const faces = touched.slice(16 * i, 16 * i + 16);
      const mean = faces.reduce((sum, face) => sum + (face ? 3 : 1), 0) / 16;
      for (const [token, face] of faces.entries()) expect(row[token]).toBeCloseTo((face ? 3 : 1) / mean, 5);
      const share = faces.filter(Boolean).length / 16;
      for (const [token, face] of faces.entries()) expect(facesOnly[i][token]).toBeCloseTo(face ? 1 / share : 0, 5);
    }
  });

  it("and a weight of one everywhere is no weight", () => {
    manualSeed(4);
    const [velocity, x, noise] = [0, 1, 2].map(() => randn([2, 3, 4]));
    const plain = flowError(velocity, x, noise);
    expectClose(
      scope(() => flowError(velocity, x, noise, zeros([2, 3]).add(1))),
      plain,
    );
    const first = scope(() => flowError(velocity, x, noise, tensor([[3, 0, 0]]).expand([2, 3])));
    expectClose(
      first,
      scope(() => velocity.sub(noise).add(x).square().select(1, 0).mean([1])),
    );
  });
});
