import {
  autocast,
  deviceMemory,
  emptyDeviceCache,
  manualSeed,
  nn,
  noGrad,
  onDevice,
  optim,
  rand,
  randn,
  scope,
  synchronize,
  type Tensor,
} from "@omni-id/torch";
import { FLUX_AUTOENCODER, FluxAutoencoder } from "../backbones/autoencoder.ts";
import { ClipBackbone } from "../backbones/clip.ts";
import { Flux } from "../backbones/flux.ts";
import type { FluxOptions } from "../backbones/flux-options.ts";
import type { PromptEncoder, Prompts } from "../backbones/words.ts";
import { Encoder } from "../encoder.ts";
import { FlowBase, flowError, noised } from "../flow-base.ts";
import { FlowAdapter } from "../flow-decoder.ts";
import { drawPictures } from "../generate/draw.ts";
import { resolvePreset } from "../presets/index.ts";
import type { Preset } from "../presets/schema.ts";
import type { Finding, ProofContext } from "./part.ts";

/** What makes the paper preset small enough for a processor; every class stays the same. */
export const SMALL = [
  "identity.tokens=8",
  "identity.width=64",
  "encoder.headWidth=16",
  "backbone.width=64",
  "backbone.layers=2",
  "backbone.heads=4",
  "backbone.mlp=128",
  "backbone.imageSize=28",
  "flow.flux.width=64",
  "flow.flux.heads=4",
  "flow.flux.axes=[4,6,6]",
  "flow.flux.doubleBlocks=1",
  "flow.flux.singleBlocks=2",
  "flow.flux.contextWidth=32",
  "flow.flux.vectorWidth=16",
  "flow.prompts.length=8",
  "flow.adapter.batch=1",
  "flow.adapter.targets=2",
];

/** Prompts that nobody encoded: a fixed prompt is the same numbers in every step. */
class FixedPrompt extends nn.Module implements PromptEncoder {
  captions = false;
  readonly txt: Tensor;
  readonly y: Tensor;

  constructor({ contextWidth, vectorWidth }: FluxOptions, length: number) {
    super();
    this.txt = scope(() => nn.buffer(randn([1, length, contextWidth], { dtype: "bfloat16" })));
    this.y = scope(() => nn.buffer(randn([1, vectorWidth], { dtype: "bfloat16" })));
  }

  encode(prompts: readonly string[]): Prompts {
    return { txt: this.txt.expand([prompts.length, -1, -1]), y: this.y.expand([prompts.length, -1]) };
  }
}

/** A network of random weights in bfloat16, made where it computes: nothing of its size passes through main memory. */
function inBfloat16<M extends nn.Module>(make: () => M): M {
  const module = onDevice("meta", make);
  const weights = new Map(
    [...module.stateDict()].map(([key, { shape }]) => [
      key,
      // Scales of norms are one-dimensional, and so are biases.
      shape.length === 1
        ? randn(shape, { dtype: "bfloat16" })
            .mul_(0.02)
            .add_(key.endsWith("scale") ? 1 : 0)
        : randn(shape, { dtype: "bfloat16" }).mul_(0.02),
    ]),
  );
  module.loadStateDict(weights, { assign: true });
  return module.requiresGrad_(false);
}

interface Networks {
  base: FlowBase;
  encoder: Encoder;
  adapter: FlowAdapter;
}

function networksOf(preset: Preset, imageSize: number): Networks {
  const { backbone, identity, encoder, flow } = preset;
  if (backbone.kind !== "clip") throw new Error("the paper's backbone is CLIP");
  const autoencoder = FLUX_AUTOENCODER;
  const options: FluxOptions = { ...flow.flux, inChannels: autoencoder.latentChannels * flow.packing ** 2 };
  const base = new FlowBase({
    latents: inBfloat16(() => new FluxAutoencoder(autoencoder)),
    prompts: new FixedPrompt(options, flow.prompts.length),
    flux: inBfloat16(() => new Flux(options)),
    packing: flow.packing,
    imageSize,
    distilledGuidance: flow.guidance.distilled,
  });
  base.checkpointBlocks = true;
  return {
    base,
    encoder: new Encoder({
      backbone: new ClipBackbone(backbone),
      queries: identity.tokens,
      width: identity.width,
      ...encoder,
    }),
    adapter: new FlowAdapter({ identity: [identity.tokens, identity.width], flux: flow.flux }),
  };
}

/** Products a picture of a forward pass: blocks and attention; what is small beside them is left out. */
function forwardFlops({ flow }: Preset, tokens: number): number {
  const { width, doubleBlocks, singleBlocks } = flow.flux;
  const blocks = doubleBlocks + singleBlocks;
  return 2 * tokens * blocks * 12 * width ** 2 + 4 * tokens ** 2 * width * blocks;
}

/**
 * FLUX.1-dev at its full size with random weights in bfloat16, frozen; CLIP-H and the IP-Adapter of the paper preset
 * trained on it: steps of stage two at 512 px with activation checkpointing, then drawing.
 */
export function* fullSize({ device, full, note }: ProofContext): Iterable<Finding> {
  const preset = resolvePreset("paper", full ? [] : SMALL);
  const imageSize = full ? 512 : 32;
  const rate = onDevice(device, () => productRate(full ? 8192 : 256));
  yield { name: "bfloat16 products", value: rate / 1e12, unit: "TFLOP/s" };
  const found: Finding[] = [];
  const measure = () =>
    scope(() => {
      manualSeed(1);
      emptyDeviceCache();
      deviceMemory(device, { reset: true });
      const networks = networksOf(preset, imageSize);
      note(`${count(networks.base.flux.parameters())} parameters frozen, ${count(trained(networks))} trained`);
      for (const finding of stageTwo(networks, preset, { device, imageSize, rate, note })) found.push(finding);
      for (const finding of drawing(networks, preset, { device, rate, full })) found.push(finding);
    });
  let failed: { error: unknown } | undefined;
  try {
    onDevice(device, measure);
  } catch (error) {
    failed = { error };
  }
  yield* found; // what was measured before it failed counts
  if (failed) throw failed.error;
}

const count = (parameters: readonly Tensor[]) => parameters.reduce((sum, { numel }) => sum + numel, 0);
const trained = ({ encoder, adapter }: Networks) => [...encoder.parameters(), ...adapter.parameters()];

function productRate(side: number): number {
  return scope(() => {
    const [a, b] = [1, 2].map(() => randn([side, side], { dtype: "bfloat16" }));
    const times = 10;
    for (let i = 0; i < 3; i++) scope(() => a.matmul(b));
    synchronize();
    const started = performance.now();
    for (let i = 0; i < times; i++) scope(() => a.matmul(b));
    synchronize();
    return (times * 2 * side ** 3) / ((performance.now() - started) / 1e3);
  });
}

function* stageTwo(
  networks: Networks,
  preset: Preset,
  { device, imageSize, rate, note }: { device: string; imageSize: number; rate: number; note: (text: string) => void },
): Iterable<Finding> {
  const { base, encoder, adapter } = networks;
  const { batch, targets } = preset.flow.adapter;
  const [tokens, channels] = base.tokenShape;
  const photoSize = encoder.backbone.inputSize;
  const optimiser = new optim.AdamW(trained(networks), { lr: 1e-4 });
  const step = () =>
    scope(() => {
      const photos = rand([batch, 3, 3, photoSize, photoSize]).mul(2).sub(1);
      const pictures = rand([batch * targets, 3, imageSize, imageSize])
        .mul(2)
        .sub(1);
      // A few at a time: the autoencoder's first layers are large.
      const x = noGrad(() =>
        scope(() => base.tokens(pictures.to("bfloat16").narrow(0, 0, 1)).expand([batch * targets, tokens, channels])),
      );
      const noise = randn([batch * targets, tokens, channels]);
      const t = rand([batch * targets]);
      const loss = autocast({ dtype: "bfloat16" }, () => {
        const identities = encoder.forward(photos).float();
        const conditions = adapter.conditions(identities.repeatInterleave(targets, 0));
        const prompts = base.prompts.encode(Array.from({ length: batch * targets }, () => ""));
        return flowError(base.velocity(noised(x, noise, t), t, prompts, conditions), x, noise).mean();
      });
      loss.backward();
      optimiser.step();
      optimiser.zeroGrad();
      return loss.item();
    });
  const losses = [step()];
  synchronize();
  const started = performance.now();
  for (let i = 0; i < 2; i++) losses.push(step());
  synchronize();
  const seconds = (performance.now() - started) / 2e3;
  note(`stage two: losses ${losses.map((loss) => loss.toFixed(4)).join(" ")}, ${seconds.toFixed(2)} s a step`);
  const memory = deviceMemory(device);
  // Forward, forward once more in the backward pass, and the gradients of the inputs: the base's weights have none.
  const flops = 3 * batch * targets * forwardFlops(preset, tokens + preset.flow.prompts.length);
  yield {
    name: `stage two, ${batch} people × ${targets} pictures of ${imageSize} px: a step`,
    value: seconds,
    unit: "s",
  };
  yield { name: "stage two: the loss is finite", value: losses.every(Number.isFinite) ? 0 : 1, limit: 0 };
  yield { name: "stage two: share of the product rate", value: flops / seconds / rate };
  if (memory) yield { name: "stage two: memory at its peak", value: memory.peak / 2 ** 30, unit: "GiB" };
}

function* drawing(
  { base, encoder, adapter }: Networks,
  preset: Preset,
  { device, rate, full }: { device: string; rate: number; full: boolean },
): Iterable<Finding> {
  base.checkpointBlocks = false;
  const [tokens, channels] = base.tokenShape;
  for (const batch of full ? [1, 8] : [1]) {
    const seconds = noGrad(() =>
      scope(() => {
        const identity = encoder.query.expand([batch, ...encoder.identityShape]);
        const conditions = adapter.conditions(identity);
        const prompts = base.prompts.encode(Array.from({ length: batch }, () => ""));
        const x = randn([batch, tokens, channels]);
        const forward = () =>
          scope(() =>
            autocast({ dtype: "bfloat16" }, () =>
              base
                .velocity(x, rand([batch]), prompts, conditions)
                .sum()
                .item(),
            ),
          );
        forward();
        synchronize(device);
        const times = full ? 5 : 1;
        const started = performance.now();
        for (let i = 0; i < times; i++) forward();
        return (performance.now() - started) / 1e3 / times;
      }),
    );
    yield { name: `drawing, ${batch} at once: a step of the solver`, value: seconds, unit: "s" };
    const flops = batch * forwardFlops(preset, tokens + preset.flow.prompts.length);
    yield { name: `drawing, ${batch} at once: share of the product rate`, value: flops / seconds / rate };
  }
  const started = performance.now();
  const finite = scope(() =>
    drawPictures(base, { count: 1, seed: 1, steps: full ? 20 : 2, guidance: 1, prompt: "" })
      .isfinite()
      .all()
      .item(),
  );
  yield { name: "a picture drawn with its autoencoder is finite", value: finite ? 0 : 1, limit: 0 };
  yield { name: `a picture in ${full ? 20 : 2} steps`, value: (performance.now() - started) / 1e3, unit: "s" };
}
