import { heapBytes, manualSeed, noGrad, randn, scope, type Tensor, zeros } from "@omni-id/torch";
import { describe, expect, it } from "vitest";
import { FLUX_AUTOENCODER, FluxAutoencoder } from "../src/backbones/autoencoder.ts";
import { inParts } from "../src/backbones/parts.ts";
import type { WordEncoder } from "../src/backbones/words.ts";
import { flowError, noised } from "../src/flow-base.ts";
import { keyedGenerator } from "../src/people/draws.ts";
import { resolvePreset } from "../src/presets/index.ts";
import { ControlStage } from "../src/train/control/stage.ts";
import { heldOutError } from "../src/train/held-out-error.ts";
import { buildControl, buildEncoder, buildFlowAdapter, buildFlowBase } from "../src/weights/build.ts";
import { fakePeople } from "./fake-people.ts";
import { difference } from "./golden.ts";

const preset = resolvePreset("nano", [
  ...["identity.tokens=4", "identity.width=16", "encoder.headWidth=8", "encoder.carriedTokens=0"],
  ...["flow.flux.width=32", "flow.flux.heads=2", "flow.flux.axes=[4,6,6]", "flow.flux.singleBlocks=4"],
  ...["flow.adapter.joined=false", "flow.control.batch=16", "flow.control.identity=1"],
]);

describe("memory for time", () => {
  it("a ControlNet with checkpointed blocks learns the same, and keeps less", () => {
    const run = (checkpointBlocks: boolean) => {
      manualSeed(2);
      const base = buildFlowBase(preset).requiresGrad_(false);
      (base.prompts as WordEncoder).vocabulary = ["photo", "person"];
      base.checkpointBlocks = checkpointBlocks;
      const identity = { encoder: buildEncoder(preset), decoder: buildFlowAdapter(preset) };
      const model = buildControl(preset, base);
      model.initialiseFrom(base.flux);
      // Not as it starts, when no gradient passes the layers that are zero.
      noGrad(() => {
        for (const layer of model.controlnet_blocks) layer.weight.normal_().mul_(0.1);
      });
      const people = fakePeople(6);
      const stage = new ControlStage({ model, base, identity, people, preset: preset.flow, seed: 3 });
      return scope(() => {
        const batch = stage.batch(1);
        const before = heapBytes();
        const { loss } = stage.loss(batch);
        const kept = heapBytes() - before;
        loss.backward();
        const gradients = model.parameters().map((p) => p.grad?.toTypedArray() as Float32Array | undefined);
        return { kept, loss: loss.item(), gradients };
      });
    };
    run(true);
    const [plain, checkpointed] = [run(false), run(true)];
    // What else lives in the heap comes and goes by some megabytes: the middle of eleven.
    const kept = (checkpoint: boolean) =>
      Array.from({ length: 11 }, () => run(checkpoint).kept).toSorted((a, b) => a - b)[5];
    expect(checkpointed.loss).toBe(plain.loss);
    expect(kept(true)).toBeLessThan(kept(false) / 2);
    for (const [i, gradient] of plain.gradients.entries()) {
      const other = checkpointed.gradients[i];
      expect(other?.length).toBe(gradient?.length);
      // A condition that several blocks share gets its gradients in another order: the last digits may differ.
      const largest = Math.max(...(gradient ?? [0]).map(Math.abs));
      const apart = Math.max(...(gradient ?? [0]).map((value, k) => Math.abs(value - (other?.[k] ?? 0))));
      expect(apart).toBeLessThanOrEqual(1e-4 * largest);
    }
  });

  it("the autoencoder encodes and draws many pictures a few at a time, to the same answer", () => {
    manualSeed(4);
    const { scale, shift } = FLUX_AUTOENCODER;
    const network = { channels: 32, multipliers: [1, 1], resBlocks: 1, latentChannels: 2 };
    const autoencoder = new FluxAutoencoder({ ...network, scale, shift }).requiresGrad_(false);
    noGrad(() => {
      const pictures = randn([3, 3, 64, 64]);
      const together = autoencoder.encode(pictures);
      const apart = inParts(pictures, 2, (some) => autoencoder.encode(some));
      expect(difference(apart, together)).toBeLessThan(1e-5);
      const drawn = inParts(together, 1, (some) => autoencoder.decode(some));
      expect(difference(drawn, autoencoder.decode(together))).toBeLessThan(1e-5);

      // How many go in at once, without the work: of 1024 px one, of 512 px four.
      const rows: number[] = [];
      autoencoder.encoder.forward = (x: Tensor) => {
        rows.push(x.shape[0]);
        return zeros([x.shape[0], 4, x.shape[2] / 2, x.shape[3] / 2]);
      };
      autoencoder.decoder.forward = (z: Tensor) => {
        rows.push(z.shape[0]);
        return zeros([z.shape[0], 3, z.shape[2] * 2, z.shape[3] * 2]);
      };
      expect(autoencoder.encode(zeros([2, 3, 1024, 1024])).shape).toEqual([2, 2, 512, 512]);
      expect(autoencoder.decode(zeros([6, 2, 256, 256])).shape).toEqual([6, 3, 512, 512]);
      expect(rows).toEqual([1, 1, 4, 2]);
    });
  });

  it("a report in parts gives the figure of the whole", () => {
    manualSeed(2);
    const base = buildFlowBase(preset);
    (base.prompts as WordEncoder).vocabulary = ["photo", "person"];
    const [tokens, channels] = base.tokenShape;
    const asked: number[] = [];
    const velocity = base.velocity.bind(base);
    base.velocity = (x, ...rest) => {
      asked.push(x.shape[0]);
      return velocity(x, ...rest);
    };
    noGrad(() => {
      const x = randn([180, tokens, channels]);
      const prompts = Array.from({ length: 180 }, (_, i) => (i % 2 ? "photo" : "person"));
      const told: [number, number][] = [];
      const question = { time: 0.5, purpose: 9, prompts };
      const error = heldOutError(base, x, {
        ...question,
        conditions: (start, length) => {
          told.push([start, length]);
          return {};
        },
      });
      expect(asked).toEqual([176, 4]);
      expect(told).toEqual([
        [0, 176],
        [176, 4],
      ]);
      // By hand: the same noise, every picture alone.
      const noise = randn(x.shape, { generator: keyedGenerator(0, 500, 9) });
      const errors = prompts.map((prompt, i) =>
        scope(() => {
          const [x0, ε] = [x, noise].map((all) => all.narrow(0, i, 1));
          const t = zeros([1]).add(0.5);
          return flowError(velocity(noised(x0, ε, t), t, base.prompts.encode([prompt])), x0, ε).item();
        }),
      );
      expect(Math.abs(error - errors.reduce((sum, one) => sum + one, 0) / 180)).toBeLessThan(1e-5 * error);
    });
  });
});
