import { call, hasOperator, Operator, optionalHandle, wrap } from "./dispatch.ts";
import type { Generator } from "./generator.ts";
import { isRehearsing } from "./rehearsing.ts";
import type { Tensor } from "./tensor.ts";

export {
  addLayerNorm,
  attentionPackedKv,
  attentionPackedQkv,
  biasGelu,
  fusedLayerNorm,
  gatedAdd,
  type ModulatedNormOptions,
  modulatedNorm,
  type PackedAttentionOptions,
  type QkNormRopeOptions,
  qkNormRope,
} from "./fused.ts";
export * from "./generated/functional.generated.ts";

const ops = {
  embedding: new Operator("aten::embedding"),
  sdpa: new Operator("aten::scaled_dot_product_attention"),
  rehearsedAttention: new Operator("omni_id::rehearsed_attention"),
  gridSampler: new Operator("aten::grid_sampler"),
  nearest: new Operator("aten::upsample_nearest2d"),
  bilinear: new Operator("aten::upsample_bilinear2d"),
  bicubic: new Operator("aten::upsample_bicubic2d"),
  crossEntropy: new Operator("aten::cross_entropy_loss"),
  l1Loss: new Operator("aten::l1_loss"),
  mseLoss: new Operator("aten::mse_loss"),
  smoothL1Loss: new Operator("aten::smooth_l1_loss"),
  bceWithLogits: new Operator("aten::binary_cross_entropy_with_logits"),
  batchNorm: new Operator("aten::batch_norm"),
};

/** What becomes of the losses of all elements. */
export type Reduction = "none" | "mean" | "sum";
const reductions: Record<Reduction, number> = { none: 0, mean: 1, sum: 2 };

/** Rows of `weight` [V, D] by index: [...] int64 → [..., D]. */
export function embedding(indices: Tensor, weight: Tensor): Tensor {
  return wrap(call(ops.embedding.id, weight.handle, indices.handle));
}

/** x / √(mean(x²) + eps) over the last dimensions, times `weight`. */
export function rmsNorm(
  input: Tensor,
  normalizedShape: readonly number[],
  weight?: Tensor | null,
  { eps = 1e-6 } = {},
): Tensor {
  const dims = normalizedShape.map((_, i) => -1 - i);
  // The mean of squares needs more than bfloat16's 8 bits.
  const wide = input.dtype === "float64" ? input : input.float();
  const scaled = wide.mul(wide.square().mean(dims, { keepdim: true }).add(eps).rsqrt()).to(input.dtype);
  return weight ? scaled.mul(weight) : scaled;
}

export interface AttentionOptions {
  /** Boolean (true: may be seen) or additive, broadcast to [B, H, N, M]. */
  mask?: Tensor | null;
  causal?: boolean;
  /** 1/√D when left out. */
  scale?: number;
}

let fusedAttention: boolean | undefined;

/** softmax(q kᵀ · scale + mask) v. q: [B, H, N, D], k and v: [B, H, M, D] → [B, H, N, D]. */
export function scaledDotProductAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { mask, causal = false, scale }: AttentionOptions = {},
): Tensor {
  fusedAttention ??= hasOperator("aten::scaled_dot_product_attention");
  if (isRehearsing() && (fusedAttention || q.device !== "cpu")) {
    return wrap(call(ops.rehearsedAttention.id, q.handle, k.handle, v.handle));
  }
  if (fusedAttention) {
    // Scale the query: the operator takes `scale` only from 2.1 on.
    const width = q.shape[q.ndim - 1];
    const query = scale === undefined ? q : q.mul(scale * Math.sqrt(width));
    return wrap(call(ops.sdpa.id, query.handle, k.handle, v.handle, optionalHandle(mask), 0, causal));
  }
  let scores = q.mul(scale ?? 1 / Math.sqrt(q.shape[q.ndim - 1])).matmul(k.transpose(-2, -1));
  if (causal) scores = scores.maskedFill(scores.detach().clone().fill_(1).triu(1).bool(), Number.NEGATIVE_INFINITY);
  if (mask)
    scores = mask.dtype === "bool" ? scores.maskedFill(mask.logicalNot(), Number.NEGATIVE_INFINITY) : scores.add(mask);
  return scores.softmax(-1).matmul(v);
}

export interface GridSampleOptions {
  mode?: "bilinear" | "nearest" | "bicubic";
  paddingMode?: "zeros" | "border" | "reflection";
  alignCorners?: boolean;
}

/** Samples `input` [B, C, H, W] at `grid` [B, h, w, 2] (x, y in −1 … 1) → [B, C, h, w]. */
export function gridSample(
  input: Tensor,
  grid: Tensor,
  { mode = "bilinear", paddingMode = "zeros", alignCorners = false }: GridSampleOptions = {},
): Tensor {
  const modes = ["bilinear", "nearest", "bicubic"];
  const paddings = ["zeros", "border", "reflection"];
  return wrap(
    call(
      ops.gridSampler.id,
      input.handle,
      grid.handle,
      modes.indexOf(mode),
      paddings.indexOf(paddingMode),
      alignCorners,
    ),
  );
}

export interface InterpolateOptions {
  size?: readonly [number, number];
  scaleFactor?: number;
  mode?: "nearest" | "bilinear" | "bicubic";
  alignCorners?: boolean;
}

/** Resizes `input` [B, C, H, W] to `size`, or by `scaleFactor`. */
export function interpolate(
  input: Tensor,
  { size, scaleFactor, mode = "nearest", alignCorners = false }: InterpolateOptions,
): Tensor {
  if ((size === undefined) === (scaleFactor === undefined))
    throw new TypeError("interpolate(): give either size or scaleFactor");
  const factor = scaleFactor ?? 1;
  const [, , height, width] = input.shape;
  const target = size ?? [Math.floor(height * factor), Math.floor(width * factor)];
  // PyTorch samples by the given factor, not by the ratio of the rounded sizes.
  const scales = scaleFactor === undefined ? [undefined, undefined] : [factor, factor];
  if (mode === "nearest") return wrap(call(ops.nearest.id, input.handle, target, ...scales));
  return wrap(call(ops[mode].id, input.handle, target, alignCorners, ...scales));
}

/** x / max(‖x‖_p, eps) along `dim`. */
export function normalize(input: Tensor, { p = 2, dim = 1, eps = 1e-12 } = {}): Tensor {
  return input.div(input.norm(dim, { ord: p, keepdim: true }).clampMin(eps));
}

export interface CrossEntropyOptions {
  weight?: Tensor | null;
  reduction?: Reduction;
  ignoreIndex?: number;
  labelSmoothing?: number;
}

/** −log softmax(logits)[target]. logits: [B, K, …], target: [B, …] int64, or probabilities of the logits' shape. */
export function crossEntropy(
  logits: Tensor,
  target: Tensor,
  { weight, reduction = "mean", ignoreIndex = -100, labelSmoothing = 0 }: CrossEntropyOptions = {},
): Tensor {
  return wrap(
    call(
      ops.crossEntropy.id,
      logits.handle,
      target.handle,
      optionalHandle(weight),
      reductions[reduction],
      ignoreIndex,
      labelSmoothing,
    ),
  );
}
/** |input − target|, reduced. */
export function l1Loss(input: Tensor, target: Tensor, { reduction = "mean" }: { reduction?: Reduction } = {}): Tensor {
  return wrap(call(ops.l1Loss.id, input.handle, target.handle, reductions[reduction]));
}
/** (input − target)², reduced. */
export function mseLoss(input: Tensor, target: Tensor, { reduction = "mean" }: { reduction?: Reduction } = {}): Tensor {
  return wrap(call(ops.mseLoss.id, input.handle, target.handle, reductions[reduction]));
}
/** d² / 2β where |d| = |input − target| is below β, |d| − β/2 beyond; reduced. */
export function smoothL1Loss(
  input: Tensor,
  target: Tensor,
  { reduction = "mean", beta = 1 }: { reduction?: Reduction; beta?: number } = {},
): Tensor {
  return wrap(call(ops.smoothL1Loss.id, input.handle, target.handle, reductions[reduction], beta));
}
/** −t log σ(x) − (1 − t) log(1 − σ(x)), reduced; without overflow for large |x|. */
export function binaryCrossEntropyWithLogits(
  input: Tensor,
  target: Tensor,
  { reduction = "mean" }: { reduction?: Reduction } = {},
): Tensor {
  return wrap(call(ops.bceWithLogits.id, input.handle, target.handle, null, null, reductions[reduction]));
}

export interface DropoutOptions {
  p?: number;
  training?: boolean;
  generator?: Generator;
}

/** Zeroes elements with probability `p` and scales the rest by 1/(1 − p); the input itself when not training. */
export function dropout(input: Tensor, { p = 0.5, training = true, generator }: DropoutOptions = {}): Tensor {
  if (!training || p === 0) return input;
  const mask = input
    .detach()
    .clone()
    .bernoulli_(1 - p, { generator });
  return input.mul(mask.div_(1 - p));
}

export interface BatchNormOptions {
  weight?: Tensor | null;
  bias?: Tensor | null;
  runningMean?: Tensor | null;
  runningVar?: Tensor | null;
  training?: boolean;
  momentum?: number;
  eps?: number;
}

/** Batch normalisation of `input` [B, C, …] over all but C; updates the running statistics in place when training. */
export function batchNorm(
  input: Tensor,
  { weight, bias, runningMean, runningVar, training = false, momentum = 0.1, eps = 1e-5 }: BatchNormOptions,
): Tensor {
  const [w, b, m, v] = [weight, bias, runningMean, runningVar].map((t) => optionalHandle(t) ?? null);
  return wrap(call(ops.batchNorm.id, input.handle, w, b, m, v, training, momentum, eps, false));
}
