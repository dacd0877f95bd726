import { type ExportInputs, exportOnnx, nn, type OnnxExport, rand, randint, randn, type Tensor } from "@omni-id/torch";
import type { LandmarkControl } from "../adapters/landmark-control.ts";
import { joinMaps, RecogniserBackbone } from "../backbones/recogniser.ts";
import { WordEncoder } from "../backbones/words.ts";
import type { Encoder } from "../encoder.ts";
import type { FlowBase } from "../flow-base.ts";
import type { FlowAdapter } from "../flow-decoder.ts";
import type { MaskedDecoder } from "../masked-decoder.ts";
import type { Preset } from "../presets/schema.ts";
import { drawHidden } from "../reconstruct.ts";

/** The parts of a model as ONNX graphs. Together they hold every weight once: each part is what one step asks. */

/** Photos `[B, M, 3, S, S]` → `identity [B, L, C]`. */
export function encoderGraph(encoder: Encoder): OnnxExport {
  const { inputSize } = encoder.backbone;
  const at = (people: number, photos: number) => ({ photos: unit([people, photos, 3, inputSize, inputSize]) });
  return exportOnnx(({ photos }) => ({ identity: encoder.forward(photos) }), at(2, 3), {
    module: encoder,
    second: at(3, 5),
  });
}

/**
 * What the recogniser makes of M photos of one person, its `middle [M, 128, 14, 14]` and `last [M, 512, 7, 7]` maps and its
 * `feature [M, 512]` of length 1 → `identity [1, L, C]`, and `attention_1 [1, L, M · tokens]` and so on for each
 * cross-attention block (figure 10).
 * @throws for a backbone that is no frozen recogniser
 */
export function mapsGraph(encoder: Encoder): OnnxExport {
  const { backbone } = encoder;
  if (!(backbone instanceof RecogniserBackbone) || backbone.tail) {
    throw new Error(
      "these weights have a backbone of their own, and a browser gets the recogniser as it is: take the nano preset",
    );
  }
  const at = (photos: number) => ({
    middle: randn([photos, 128, 14, 14]),
    last: randn([photos, 512, 7, 7]),
    feature: randn([photos, 512]),
  });
  const fn = ({ middle, last, feature }: ExportInputs) => {
    const tokens = backbone.fromFeatures(joinMaps(middle, last), feature).reshape([1, -1, backbone.width]);
    const looked = encoder.attention(tokens).map((map, i): [string, Tensor] => [`attention_${i + 1}`, map]);
    return { identity: encoder.fromTokens(tokens), ...Object.fromEntries(looked) };
  };
  return exportOnnx(fn, at(3), { module: encoder, second: at(5) });
}

/**
 * Aligned faces `truth [B, 3, S, S]`, the tokens to decode `index [B, K]` int64, which of them are shown `visible [B, K]`
 * (0 or 1, int64), and `identity [B, L, C]` → `picture [B, 3, S, S]`.
 */
export function decoderGraph(decoder: MaskedDecoder, { mtd, identity: { tokens, width } }: Preset): OnnxExport {
  const { imageSize } = mtd;
  const places = (imageSize / decoder.patchSize) ** 2;
  const at = (batch: number, count: number) => ({
    truth: unit([batch, 3, imageSize, imageSize]),
    index: randint(0, places, [batch, count]),
    visible: randint(0, 2, [batch, count]),
    identity: randn([batch, tokens, width]),
  });
  const fn = ({ visible, ...input }: ExportInputs) => {
    const { truth, index, identity } = input;
    return { picture: drawHidden(decoder, { truth, index, visible: visible.gt(0), identity }) };
  };
  return exportOnnx(fn, at(2, 13), { module: decoder, second: at(3, 19) });
}

/** Numbers of words `[B, T]` int64 → `txt [B, T, context]`, `y [B, vector]`. @throws for a model that takes other prompts */
export function promptsGraph({ prompts }: FlowBase): OnnxExport {
  if (!(prompts instanceof WordEncoder)) throw published();
  const at = (batch: number) => ({ words: randint(0, prompts.words.weight.shape[0], [batch, prompts.length]) });
  return exportOnnx(({ words }) => given({ ...prompts.fromNumbers(words) }), at(2), { module: prompts, second: at(3) });
}

/** `identity [B, L, C]` → what FLUX is told of it: `tokens [B, L, C]`, and where there are such `modulation` and `extra`. */
export function adapterGraph(adapter: FlowAdapter): OnnxExport {
  if (adapter.reference) throw published();
  const at = (batch: number) => ({ identity: randn([batch, ...adapter.mean.shape]) });
  const fn = ({ identity }: ExportInputs) => {
    const { identity: told, modulation, extraText } = adapter.conditions(identity);
    return given({ tokens: told?.tokens, modulation, extra: extraText });
  };
  return exportOnnx(fn, at(2), { module: adapter, second: at(3) });
}

/** The noisy picture and a picture of landmarks → `residual_1 [B, N, width]` and so on, for the double blocks. */
export function controlGraph(base: FlowBase, control: LandmarkControl, { flow }: Preset): OnnxExport {
  const { imageSize } = flow;
  const at = (batch: number) => ({ ...stepInputs(base, batch), landmarks: unit([batch, 3, imageSize, imageSize]) });
  const fn = ({ x, t, txt, y, landmarks }: ExportInputs) => {
    const residuals = control.forward({ ...base.input(x, t, { txt, y }), condition: landmarks });
    return Object.fromEntries(residuals.map((residual, i) => [`residual_${i + 1}`, residual]));
  };
  return exportOnnx(fn, at(2), { module: control, second: at(3) });
}

/**
 * One step of the flow model: noisy tokens `x [B, N, C]`, times `t [B]`, `txt`, `y`; of an identity `tokens`, `scale [B]`,
 * `modulation` and `extra [B, K, width]`; of landmarks `residual_1` and so on → `velocity [B, N, C]`. Without an identity
 * the scale is 0, tokens and modulation are zeros and K is 0; without landmarks the residuals are zeros.
 */
export function fluxGraph(
  base: FlowBase,
  adapter: FlowAdapter,
  { identity, flow }: Pick<Preset, "identity" | "flow">,
): OnnxExport {
  const [tokens] = base.tokenShape;
  const { width } = flow.flux;
  const at = (batch: number, extra: number) => ({
    ...stepInputs(base, batch),
    tokens: randn([batch, identity.tokens, identity.width]),
    scale: rand([batch]),
    ...(adapter.modulation && { modulation: randn([batch, width]) }),
    ...(adapter.joined && { extra: randn([batch, extra, width]) }),
    ...Object.fromEntries(
      Array.from({ length: flow.control.doubleBlocks }, (_, i) => [`residual_${i + 1}`, randn([batch, tokens, width])]),
    ),
  });
  const fn = ({ x, t, txt, y, tokens: told, scale, modulation, extra, ...residuals }: ExportInputs) => {
    const conditions = { identity: { tokens: told, adapter, scale }, modulation, extraText: extra };
    return { velocity: base.velocity(x, t, { txt, y }, { ...conditions, residuals: Object.values(residuals) }) };
  };
  const module = new FluxAndAdapter(base, adapter);
  return exportOnnx(fn, at(2, 11), { module, second: at(5, 18) });
}

/** Tokens `x [B, N, C]` → `pictures [B, 3, S, S]` in [−1, 1]. */
export function latentsGraph(base: FlowBase): OnnxExport {
  const at = (batch: number) => ({ x: randn([batch, ...base.tokenShape]) });
  return exportOnnx(({ x }) => ({ pictures: base.pictures(x).clamp(-1, 1) }), at(2), {
    module: base.latents,
    second: at(3),
  });
}

/** FLUX and the adapter that it asks, as one module with the keys of both. */
class FluxAndAdapter extends nn.Module {
  readonly flux: nn.Module;
  readonly ip_adapter: nn.Module;

  constructor({ flux }: FlowBase, adapter: FlowAdapter) {
    super();
    this.flux = flux;
    this.ip_adapter = adapter;
  }
}

/** What a flow model is asked with at any step. @throws for a published one, whose files are others */
function stepInputs(base: FlowBase, batch: number) {
  const { contextWidth, vectorWidth, generation } = base.flux.options;
  if (!(base.prompts instanceof WordEncoder) || generation !== 1) throw published();
  return {
    x: randn([batch, ...base.tokenShape]),
    t: rand([batch]),
    txt: randn([batch, base.prompts.length, contextWidth]),
    y: randn([batch, vectorWidth]),
  };
}

const unit = (shape: readonly number[]): Tensor => rand(shape).mul(2).sub(1);

const published = () =>
  new Error("these weights stand on a published flow model, which is not exported: take weights of the nano preset");

/** Those outputs that are there. */
function given(outputs: Readonly<Record<string, Tensor | undefined>>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(outputs).filter((entry): entry is [string, Tensor] => entry[1] !== undefined),
  );
}
