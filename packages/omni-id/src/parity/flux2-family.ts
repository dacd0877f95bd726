import { cat, type Tensor } from "@omni-id/torch";
import { z } from "zod";
import { Flux2Autoencoder } from "../backbones/autoencoder.ts";
import { Flux } from "../backbones/flux.ts";
import type { FluxOptions } from "../backbones/flux-options.ts";
import { imagePositions } from "../backbones/flux-positions.ts";
import type { FluxInput, ImageTokens } from "../backbones/flux-trunk.ts";
import { patchify, unpatchify } from "../pictures/patches.ts";
import { euler } from "../sampling.ts";
import { guide } from "../sampling-steps.ts";
import type { GoldenFile } from "./golden-file.ts";
import { type Output, size } from "./output.ts";

const flux2Config = z.object({
  in_channels: size,
  context_in_dim: size,
  hidden_size: size,
  mlp_ratio: z.number().positive(),
  num_heads: size,
  depth: size,
  depth_single_blocks: z.int().nonnegative(),
  axes_dim: z.array(size).min(1),
  theta: z.number().positive(),
  use_guidance_embed: z.boolean().default(false),
});

const autoencoderConfig = z.object({
  in_channels: size,
  ch: size,
  ch_mult: z.array(size).min(1),
  num_res_blocks: size,
  z_channels: size,
  groups: size.default(32),
});

/** FLUX.2's transformer with what the file has of references, guidance and sampling, or its autoencoder. */
export function* flux2Outputs(file: GoldenFile): Generator<Output> {
  const has = (prefix: string) => file.keys().some((key) => key.startsWith(prefix));
  if (has("flux2.")) yield* transformerOutputs(file, has);
  if (has("ae.")) yield* autoencoderOutputs(file);
}

function* transformerOutputs(file: GoldenFile, has: (prefix: string) => boolean): Generator<Output> {
  const options = optionsOf(file);
  const input = inputOf(file);
  const weights = file.part("flux2.weights.");
  const flux = new Flux(options);
  flux.loadStateDict(weights);
  yield { key: "flux2.io.output", value: () => flux.forward(input) };
  if (has("flux2.trace.")) yield* traceOutputs(flux, input);

  const references = has("refs.") ? referencesOf(file) : undefined;
  if (references) {
    const given = givenReferences(file, options);
    yield { key: "refs.io.ref", value: () => given.tokens };
    yield { key: "refs.io.ref_ids", value: () => given.ids };
    yield { key: "refs.io.output", value: () => flux.forward({ ...input, references }) };
    const all = {
      ...input,
      img: cat([input.img, references.tokens], 1),
      imgIds: cat([input.imgIds, references.ids], 1),
    };
    yield { key: "refs.io.output_all", value: () => flux.forward(all) };
  }
  if (has("guidance.")) {
    const guided = new Flux({ ...options, guidance: true });
    guided.loadStateDict(new Map([...weights, ...file.part("guidance.weights.")]));
    const guidance = file.get("guidance.io.guidance");
    yield { key: "guidance.io.output", value: () => guided.forward({ ...input, guidance }) };
  }
  yield* coarseOutputs(options, weights, { input, references });
  if (has("denoise.")) yield* denoiseOutputs(file, "denoise", { flux, input, references });
  if (has("denoise_cfg.")) yield* denoiseOutputs(file, "denoise_cfg", { flux, input, references });
}

/** The same in bfloat16, in which FLUX.2 is published and run. */
function* coarseOutputs(
  options: FluxOptions,
  weights: ReadonlyMap<string, Tensor>,
  { input, references }: { input: FluxInput; references: ImageTokens | undefined },
): Generator<Output> {
  const flux = new Flux(options);
  flux.loadStateDict(weights);
  flux.to({ dtype: "bfloat16" });
  yield { key: "flux2.io.output", value: () => flux.forward(input), told: "bfloat16" };
  yield { key: "refs.io.output", value: () => flux.forward({ ...input, references }), told: "bfloat16" };
}

function optionsOf(file: GoldenFile): FluxOptions {
  const config = file.config(flux2Config);
  return {
    generation: 2,
    inChannels: config.in_channels,
    vectorWidth: 0,
    contextWidth: config.context_in_dim,
    width: config.hidden_size,
    heads: config.num_heads,
    mlpRatio: config.mlp_ratio,
    doubleBlocks: config.depth,
    singleBlocks: config.depth_single_blocks,
    axes: config.axes_dim,
    theta: config.theta,
    guidance: config.use_guidance_embed,
  };
}

function inputOf(file: GoldenFile): FluxInput {
  const io = (name: string) => file.get(`flux2.io.${name}`);
  return {
    img: io("img"),
    imgIds: io("img_ids"),
    txt: io("txt"),
    txtIds: io("txt_ids"),
    timesteps: io("timesteps"),
    guidance: file.has("flux2.io.guidance") ? io("guidance") : undefined,
  };
}

/** The states between the blocks, from one run. */
function* traceOutputs(flux: Flux, input: FluxInput): Generator<Output> {
  const states = new Map<string, Tensor>();
  flux.forward({ ...input, trace: (name, state) => states.set(name, state.keep()) });
  for (const [name, state] of states) yield { key: `flux2.trace.${name}`, value: () => state };
}

/** The file's own tokens of the references, as they go in. */
function referencesOf(file: GoldenFile): ImageTokens {
  return { tokens: file.get("refs.io.ref"), ids: file.get("refs.io.ref_ids") };
}

/** Tokens and positions made from the references' latents, for every image of the batch. */
function givenReferences(file: GoldenFile, options: FluxOptions): ImageTokens {
  const keys = file.keys().filter((key) => key.startsWith("refs.io.latent."));
  const latents = keys.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).map((key) => file.get(key));
  const batch = file.get("refs.io.ref").shape[0];
  const tokens = cat(
    latents.map((latent) => patchify(latent.unsqueeze(0), 1)),
    1,
  );
  const ids = cat(
    latents.map(({ shape: [, rows, columns] }, reference) => imagePositions({ rows, columns, reference }, options)),
    0,
  );
  const repeated = (t: Tensor) => t.expand([batch, ...t.shape.slice(-2)]);
  return { tokens: repeated(tokens), ids: repeated(ids) };
}

/** Sampling from the stored times, with the references: without guidance, or against the empty prompt of row 0. */
function* denoiseOutputs(
  file: GoldenFile,
  part: "denoise" | "denoise_cfg",
  { flux, input, references }: { flux: Flux; input: FluxInput; references: ImageTokens | undefined },
): Generator<Output> {
  const times = file.get(`${part}.io.timesteps`).tolist() as number[];
  const first = (t: Tensor) => t.narrow(0, 0, 1);
  const start = first(input.img);
  const given = references && { tokens: first(references.tokens), ids: first(references.ids) };
  const scale = part === "denoise_cfg" ? file.get(`${part}.io.guidance`).flatten().select(0, 0).item() : undefined;
  const velocity = (img: Tensor, t: number) => {
    const ask = (prompt: number) =>
      flux.forward({
        img,
        imgIds: first(input.imgIds),
        txt: input.txt.narrow(0, prompt, 1),
        txtIds: input.txtIds.narrow(0, prompt, 1),
        timesteps: first(input.timesteps).mul(0).add(t),
        references: given,
      });
    return scale === undefined ? ask(0) : guide(ask(1), ask(0), scale);
  };
  const states: Tensor[] = [start];
  for (const [i, t] of times.slice(0, -1).entries()) {
    states.push(euler(velocity, states[i], [t, times[i + 1]]));
    const key = i + 2 === times.length ? `${part}.io.output` : `${part}.io.x.${i + 1}`;
    yield { key, value: () => states[i + 1] };
  }
  const latent = `${part}.io.latent`;
  if (!file.has(latent)) return;
  const [, , rows, columns] = file.get(latent).shape;
  yield { key: latent, value: () => unpatchify(states[states.length - 1], 1, [rows, columns]) };
}

function* autoencoderOutputs(file: GoldenFile): Generator<Output> {
  const config = file.config(autoencoderConfig);
  const weights = file.part("ae.weights.");
  weights.delete("bn.num_batches_tracked"); // counts training steps
  const narrow = weights.get("decoder.conv_out.weight")?.shape[1];
  const autoencoder = new Flux2Autoencoder({
    pictureChannels: config.in_channels,
    channels: config.ch,
    multipliers: config.ch_mult,
    resBlocks: config.num_res_blocks,
    latentChannels: config.z_channels,
    groups: config.groups,
    decoderChannels: narrow === undefined ? undefined : narrow / config.ch_mult[0],
  });
  autoencoder.loadStateDict(weights);
  const image = () => file.get("ae.io.image");
  yield { key: "ae.io.moments", value: () => autoencoder.moments(image()) };
  yield { key: "ae.io.latent", value: () => autoencoder.encode(image()) };
  yield { key: "ae.io.tokens", value: () => patchify(autoencoder.encode(image()), 1) };
  if (file.has("ae.io.latent")) {
    const [, , rows, columns] = file.get("ae.io.latent").shape;
    const ids = imagePositions({ rows, columns }, { axes: [1, 1, 1, 1] });
    yield { key: "ae.io.token_ids", value: () => ids.unsqueeze(0).expand(file.get("ae.io.token_ids").shape) };
  }
  yield { key: "ae.io.decode", value: () => autoencoder.decode(file.get("ae.io.latent")) };
  yield { key: "ae.io.decode2", value: () => autoencoder.decode(file.get("ae.io.latent2")) };
  autoencoder.to({ dtype: "bfloat16" });
  yield { key: "ae.io.latent", value: () => autoencoder.encode(image()), told: "bfloat16" };
  yield { key: "ae.io.decode", value: () => autoencoder.decode(file.get("ae.io.latent")), told: "bfloat16" };
}
