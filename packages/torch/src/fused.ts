import { call, handles, Operator, optionalHandle, wrap } from "./dispatch.ts";
import type { DType } from "./dtype.ts";
import type { Handle } from "./native.ts";
import type { Tensor } from "./tensor.ts";

// Operators of our own (native/kernels): the work around the matrix products in as few passes over memory as it
// takes. float32 and bfloat16 on the CPU; everything else, and gradients of gradients, runs the plain composition.
const ops = {
  attentionPackedQkv: new Operator("omni_id::attention_packed_qkv"),
  attentionPackedKv: new Operator("omni_id::attention_packed_kv"),
  qkNormRope: new Operator("omni_id::qk_norm_rope"),
  biasGelu: new Operator("omni_id::bias_gelu"),
  layerNorm: new Operator("omni_id::layer_norm"),
  addLayerNorm: new Operator("omni_id::add_layer_norm"),
  modulatedNorm: new Operator("omni_id::modulated_norm"),
  gatedAdd: new Operator("omni_id::gated_add"),
  adamw: new Operator("omni_id::adamw_"),
  muon: new Operator("omni_id::muon_"),
};

export interface PackedAttentionOptions {
  /** Boolean `[B, M]`: which keys may be seen (true). A query that may see none gets zeros. */
  keyMask?: Tensor | null;
}

/**
 * Self-attention straight from its projection: qkv `[B, N, 3W]` (queries, keys, values; heads side by side in each)
 * → `[B, N, W]`, softmax(q kᵀ / √(W / heads)) v.
 */
export function attentionPackedQkv(qkv: Tensor, heads: number, { keyMask }: PackedAttentionOptions = {}): Tensor {
  return wrap(call(ops.attentionPackedQkv.id, qkv.handle, heads, optionalHandle(keyMask)));
}

/** Cross-attention straight from its projections: q `[B, N, W]`, kv `[B, M, 2W]` (keys, values) → `[B, N, W]`. */
export function attentionPackedKv(
  q: Tensor,
  kv: Tensor,
  heads: number,
  { keyMask }: PackedAttentionOptions = {},
): Tensor {
  return wrap(call(ops.attentionPackedKv.id, q.handle, kv.handle, heads, optionalHandle(keyMask)));
}

export interface QkNormRopeOptions {
  heads: number;
  /** Learnt factors of the queries' and of the keys' RMSNorm, `[D]` each. */
  queryScale: Tensor;
  keyScale: Tensor;
  /** (cos, sin) of every pair of channels, side by side: `[N, D]`, or `[B, N, D]`; without gradient. */
  turns: Tensor;
  eps?: number;
}

/**
 * A packed projection `[B, N, 3W]` with its queries and keys, head by head, divided by their root mean square, scaled,
 * and turned by rotary positions in adjacent pairs; values as they are. For {@link attentionPackedQkv}.
 */
export function qkNormRope(qkv: Tensor, { heads, queryScale, keyScale, turns, eps }: QkNormRopeOptions): Tensor {
  return wrap(call(ops.qkNormRope.id, qkv.handle, queryScale.handle, keyScale.handle, turns.handle, heads, eps));
}

/** gelu(x + bias): x `[…, C]`, bias `[C]`. For a linear layer without its bias; the bias's gradient comes along. */
export function biasGelu(x: Tensor, bias: Tensor, { approximate }: { approximate?: "none" | "tanh" } = {}): Tensor {
  return wrap(call(ops.biasGelu.id, x.handle, bias.handle, approximate));
}

/** LayerNorm over the last dimension. Under autocast the result has the dtype of the products that follow. */
export function fusedLayerNorm(x: Tensor, weight: Tensor, bias: Tensor, { eps }: { eps?: number } = {}): Tensor {
  return wrap(call(ops.layerNorm.id, x.handle, weight.handle, bias.handle, eps));
}

/** A residual and the norm after it: `[x + delta, layerNorm(x + delta)]`, all `[…, C]`. */
export function addLayerNorm(
  x: Tensor,
  delta: Tensor,
  weight: Tensor,
  bias: Tensor,
  { eps }: { eps?: number } = {},
): [sum: Tensor, normed: Tensor] {
  const [sum, normed] = call(ops.addLayerNorm.id, x.handle, delta.handle, weight.handle, bias.handle, eps) as Handle[];
  return [wrap(sum), wrap(normed)];
}

export interface ModulatedNormOptions {
  /** What each picture adds, and what it multiplies by over 1: `[B, 1, W]`, or `[1, 1, W]` for all. */
  shift: Tensor;
  scale: Tensor;
  eps?: number;
}

/**
 * adaLN: (1 + scale) · LN(x) + shift, the norm without factors of its own: `[B, S, W] → [B, S, W]`. Under autocast the result
 * has the dtype of the products that follow.
 */
export function modulatedNorm(x: Tensor, { shift, scale, eps }: ModulatedNormOptions): Tensor {
  return wrap(call(ops.modulatedNorm.id, x.handle, shift.handle, scale.handle, eps));
}

/** x + gate · delta: x and delta `[B, S, W]`, gate `[B, 1, W]` or `[1, 1, W]`. */
export function gatedAdd(x: Tensor, gate: Tensor, delta: Tensor): Tensor {
  return wrap(call(ops.gatedAdd.id, x.handle, gate.handle, delta.handle));
}

export interface AdamWStep {
  lr: number;
  betas: readonly [number, number];
  eps: number;
  weightDecay: number;
  /** How many steps each parameter has made, this one included. */
  steps: readonly number[];
}

/** @internal One AdamW step over all parameters, in one pass. float32, contiguous, on the CPU. */
export function adamwStep_(
  params: readonly Tensor[],
  grads: readonly Tensor[],
  means: readonly Tensor[],
  squares: readonly Tensor[],
  { lr, betas, eps, weightDecay, steps }: AdamWStep,
): void {
  const lists = [params, grads, means, squares].map(handles);
  call(ops.adamw.id, ...lists, lr, betas[0], betas[1], eps, weightDecay, steps);
}

export interface MuonStep {
  lr: number;
  momentum: number;
  weightDecay: number;
  nesterov: boolean;
  /** Newton–Schulz steps. */
  steps: number;
  /** In which the Newton–Schulz products run. */
  dtype: DType;
}

/** @internal One Muon step over all matrices, those of one shape together. float32, contiguous, on the CPU. */
export function muonStep_(
  params: readonly Tensor[],
  grads: readonly Tensor[],
  momenta: readonly Tensor[],
  { lr, momentum, weightDecay, nesterov, steps, dtype }: MuonStep,
): void {
  call(
    ops.muon.id,
    handles(params),
    handles(grads),
    handles(momenta),
    lr,
    momentum,
    weightDecay,
    nesterov,
    steps,
    dtype,
  );
}
