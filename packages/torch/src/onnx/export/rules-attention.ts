import type { Value } from "./builder.ts";
import { type Call, type RuleTable, shapedAs, sliced } from "./rule.ts";
import type { Size } from "./sizes.ts";

/** `[B, N, W]` → `[B, H, N, D]`; a 0 keeps a dimension as it is. */
function heads(c: Call, x: string, count: number, depth: number, perm = [0, 2, 1, 3]): string {
  return c.b.node("Transpose", [c.b.node("Reshape", [x, c.b.ints([0, 0, count, depth])])], { perm });
}

interface Attention {
  q: string;
  k: string;
  v: string;
  count: number;
  width: number;
  /** Boolean `[B, M]`: which keys may be seen. */
  mask?: Value;
}

/** softmax(q kᵀ / √D) v of `[B, N, W]` and `[B, M, W]`; a query that may see nothing gets zeros. */
function attention(c: Call, { q, k, v, count, width, mask }: Attention): string {
  const { b } = c;
  const depth = width / count;
  const scaled = b.node("Mul", [heads(c, q, count, depth), b.scalar(depth ** -0.5, c.dtype)]);
  const scores = b.node("MatMul", [scaled, heads(c, k, count, depth, [0, 2, 3, 1])]);
  let weights: string;
  if (mask) {
    const seen = shapedAs(b, b.cast(mask, "bool"), [mask.shape[0], 1, 1, mask.shape[1]]);
    const hidden = b.node("Where", [seen, scores, b.scalar(-1e30, c.dtype)]);
    weights = b.node("Where", [seen, b.node("Softmax", [hidden], { axis: -1 }), b.scalar(0, c.dtype)]);
  } else weights = b.node("Softmax", [scores], { axis: -1 });
  const answer = b.node("MatMul", [weights, heads(c, v, count, depth)]);
  const back = b.node("Transpose", [answer], { perm: [0, 2, 1, 3] });
  return b.node("Reshape", [back, b.ints([0, 0, width])]);
}

const widthOf = ({ shape }: Value, parts: number): number => {
  const last = shape[shape.length - 1];
  if (typeof last !== "number") throw new Error("its channels change with the inputs' sizes");
  return last / parts;
};

const parts = (c: Call, x: string, count: number, width: number): string[] =>
  c.b.nodeOf("Split", [x, c.b.ints(Array<number>(count).fill(width))], count, { axis: 2 });

function packedQkv(c: Call): string {
  const width = widthOf(c.value(0), 3);
  const [q, k, v] = parts(c, c.like(0), 3, width);
  return attention(c, { q, k, v, count: c.number(1), width, mask: c.optional(2) });
}

function packedKv(c: Call): string {
  const width = widthOf(c.value(1), 2);
  const [k, v] = parts(c, c.like(1), 2, width);
  return attention(c, { q: c.like(0), k, v, count: c.number(2), width, mask: c.optional(3) });
}

/** RMSNorm of queries and keys, head by head, and rotary positions in adjacent pairs. */
function qkNormRope(c: Call): string {
  const { b } = c;
  const width = widthOf(c.value(0), 3);
  const count = c.number(4);
  const depth = width / count;
  const turns = c.value(3);
  const tokens = turns.shape[turns.shape.length - 2];
  const batch: Size = turns.shape.length === 3 ? turns.shape[0] : 1;
  // (cos, sin) of every pair, side by side.
  const table = shapedAs(b, b.cast(turns, c.dtype), [batch, tokens, 1, depth / 2, 2]);
  const [cos, sin] = [0, 1].map((i) => sliced(b, table, 4, [i, i + 1]));
  const turned = (x: string, scale: Value): string => {
    const apart = b.node("Reshape", [x, b.ints([0, 0, count, depth])]);
    const mean = b.node("ReduceMean", [b.node("Mul", [apart, apart])], { axes: [3], keepdims: 1 });
    const size = b.node("Sqrt", [b.node("Add", [mean, b.scalar(c.number(5, 1e-6), c.dtype)])]);
    const normed = b.node("Mul", [b.node("Div", [apart, size]), b.cast(scale, c.dtype)]);
    const pairs = b.node("Reshape", [normed, b.ints([0, 0, count, depth / 2, 2])]);
    const [even, odd] = [0, 1].map((i) => sliced(b, pairs, 4, [i, i + 1]));
    const times = (one: string, other: string) => b.node("Mul", [one, other]);
    const together = b.node(
      "Concat",
      [b.node("Sub", [times(even, cos), times(odd, sin)]), b.node("Add", [times(even, sin), times(odd, cos)])],
      { axis: 4 },
    );
    return b.node("Reshape", [together, b.ints([0, 0, width])]);
  };
  const [q, k, v] = parts(c, c.like(0), 3, width);
  return b.node("Concat", [turned(q, c.value(1)), turned(k, c.value(2)), v], { axis: 2 });
}

/** LibTorch 2's own operator: q `[B, H, N, D]`, k and v `[B, H, M, D]`, a mask that is boolean or added. */
function scaledDotProduct(c: Call): string {
  const { b } = c;
  if (c.flag(5)) throw new Error("causal attention without a mask has no rule: give the mask");
  const { shape } = c.value(0);
  const depth = shape[shape.length - 1];
  if (typeof depth !== "number") throw new Error("its channels change with the inputs' sizes");
  const scaled = b.node("Mul", [c.like(0), b.scalar(depth ** -0.5, c.dtype)]);
  const keys = b.node("Transpose", [c.like(1)], { perm: [0, 1, 3, 2] });
  const scores = b.node("MatMul", [scaled, keys]);
  const mask = c.optional(3);
  const masked = !mask
    ? scores
    : mask.dtype === "bool"
      ? b.node("Where", [mask.name, scores, b.scalar(-1e30, c.dtype)])
      : b.node("Add", [scores, b.cast(mask, c.dtype)]);
  return b.node("MatMul", [b.node("Softmax", [masked], { axis: -1 }), c.like(2)]);
}

export const attentionRules: RuleTable = {
  "omni_id::attention_packed_qkv": packedQkv,
  "omni_id::attention_packed_kv": packedKv,
  "omni_id::qk_norm_rope": qkNormRope,
  "aten::scaled_dot_product_attention": scaledDotProduct,
};
