import type { Value } from "./builder.ts";
import { type Call, type Rule, type RuleTable, shapedAs } from "./rule.ts";
import { attentionRules } from "./rules-attention.ts";
import { gelu } from "./rules-elements.ts";

/** x Wᵀ + b */
function linear(c: Call): string {
  const weight = c.b.node("Transpose", [c.like(1)], { perm: [1, 0] });
  const product = c.b.node("MatMul", [c.like(0), weight]);
  const bias = c.optional(2);
  return bias ? c.b.node("Add", [product, c.b.cast(bias, c.dtype)]) : product;
}

const matmul: Rule = (c) => c.b.node("MatMul", [c.like(0), c.like(1)]);

const addmm: Rule = (c) =>
  c.b.node("Gemm", [c.like(1), c.like(2), c.like(0)], {
    alpha: { float: c.number(4, 1) },
    beta: { float: c.number(3, 1) },
  });

const convolution =
  (n: number): Rule =>
  (c) => {
    const all = (value: number) => Array<number>(n).fill(value);
    const pads = c.numbers(4, all(0));
    const bias = c.optional(2);
    return c.b.node("Conv", [c.like(0), c.like(1), ...(bias ? [c.b.cast(bias, c.dtype)] : [])], {
      strides: c.numbers(3, all(1)),
      pads: [...pads, ...pads],
      dilations: c.numbers(5, all(1)),
      group: c.number(6, 1),
    });
  };

/** One slope for all, or one a channel. */
function prelu(c: Call): string {
  const slope = c.value(1);
  const wide = [slope.shape[0] ?? 1, ...c.shape.slice(2).map(() => 1)];
  return c.b.node("PRelu", [c.like(0), shapedAs(c.b, c.b.cast(slope, c.dtype), wide)]);
}

/** `[C]` where it broadcasts against `[B, C, …]`. */
const perChannel = (c: Call, value: Value): string =>
  shapedAs(c.b, c.b.cast(value, c.dtype), [value.shape[0], ...c.shape.slice(2).map(() => 1)]);

function batchNorm(c: Call): string {
  if (c.flag(5)) throw new Error("batch statistics of a training are no part of a graph: put the model in eval mode");
  const inputs = [1, 2, 3, 4].map((i) => c.like(i));
  return c.b.node("BatchNormalization", [c.like(0), ...inputs], { epsilon: { float: c.number(7, 1e-5) } });
}

/** Groups as channels of an InstanceNormalization: GroupNormalization comes with later operator sets. */
function groupNorm(c: Call): string {
  const groups = c.number(1);
  const flat = c.b.node("Reshape", [c.like(0), c.b.ints([0, groups, -1])]);
  const constant = (value: number) => c.b.node("Expand", [c.b.scalar(value, c.dtype), c.b.ints([groups])]);
  const normed = c.b.node("InstanceNormalization", [flat, constant(1), constant(0)], {
    epsilon: { float: c.number(4, 1e-5) },
  });
  const back = shapedAs(c.b, normed, c.shape);
  const [weight, bias] = [c.optional(2), c.optional(3)];
  const scaled = weight ? c.b.node("Mul", [back, perChannel(c, weight)]) : back;
  return bias ? c.b.node("Add", [scaled, perChannel(c, bias)]) : scaled;
}

function normed(c: Call, x: string, { weight, bias, eps, axis = -1 }: NormOptions): string {
  const { dtype } = c.results[c.results.length - 1];
  const scale = weight ? c.b.cast(weight, dtype) : undefined;
  const ones = () => {
    const size = c.results[0].shape.slice(axis);
    return c.b.node("Expand", [c.b.scalar(1, dtype), c.b.sizes(size)]);
  };
  const inputs = [x, scale ?? ones(), ...(bias ? [c.b.cast(bias, dtype)] : [])];
  return c.b.node("LayerNormalization", inputs, { axis, epsilon: { float: eps } });
}
interface NormOptions {
  weight?: Value;
  bias?: Value;
  eps: number;
  axis?: number;
}

const layerNorm: Rule = (c) =>
  normed(c, c.like(0), {
    weight: c.optional(2),
    bias: c.optional(3),
    eps: c.number(4, 1e-5),
    axis: -(c.numbers(1).length || 1),
  });

const softmax =
  (op: string): Rule =>
  (c) =>
    c.b.node(op, [c.like(0)], { axis: c.number(1) });

const axesOf = (c: Call, i: number): readonly number[] =>
  c.given(i) && c.numbers(i).length > 0 ? c.numbers(i) : c.value(0).shape.map((_, axis) => axis);

/** Before operator set 18 only ReduceSum takes its axes as an input. */
const reduced =
  (op: string): Rule =>
  (c) =>
    c.b.node(op, [c.like(0)], { axes: axesOf(c, 1), keepdims: c.flag(2) ? 1 : 0 });

const sum: Rule = (c) => c.b.node("ReduceSum", [c.like(0), c.b.ints(axesOf(c, 1))], { keepdims: c.flag(2) ? 1 : 0 });

function vectorNorm(c: Call): string {
  const order = c.number(1, 2);
  if (order !== 1 && order !== 2) throw new Error(`a norm of order ${order} has no rule`);
  return c.b.node(`ReduceL${order}`, [c.like(0)], { axes: axesOf(c, 2), keepdims: c.flag(3) ? 1 : 0 });
}

const maxPool: Rule = (c) => {
  const kernel = c.numbers(1, [1, 1]);
  const strides = c.given(2) && c.numbers(2, kernel).length > 0 ? c.numbers(2, kernel) : kernel;
  const pads = c.numbers(3, [0, 0]);
  return c.b.node("MaxPool", [c.like(0)], {
    kernel_shape: kernel,
    strides,
    pads: [...pads, ...pads],
    dilations: c.numbers(4, [1, 1]),
    ceil_mode: c.flag(5) ? 1 : 0,
  });
};

/** Nearest neighbours by whole factors, as ATen rounds; bilinear by half pixels or by corners. */
const upsample =
  (mode: "nearest" | "linear"): Rule =>
  (c) => {
    const corners = mode === "linear" && c.flag(2);
    const coordinates = mode === "nearest" ? "asymmetric" : corners ? "align_corners" : "half_pixel";
    return c.b.node("Resize", [c.like(0), "", "", c.b.sizes(c.shape)], {
      mode,
      coordinate_transformation_mode: coordinates,
      nearest_mode: "floor",
    });
  };

/** Layers of networks, our fused ones among them. */
export const layerRules: RuleTable = {
  "aten::linear": linear,
  "aten::matmul": matmul,
  "aten::mm": matmul,
  "aten::bmm": matmul,
  "aten::addmm": addmm,
  "aten::einsum": (c) =>
    c.b.node(
      "Einsum",
      c.values(1).map((value) => c.b.cast(value, c.dtype)),
      { equation: c.text(0, "") },
    ),
  "aten::conv1d": convolution(1),
  "aten::conv2d": convolution(2),
  "aten::prelu": prelu,
  "aten::batch_norm": batchNorm,
  "aten::group_norm": groupNorm,
  "aten::layer_norm": layerNorm,
  "aten::softmax.int": softmax("Softmax"),
  "aten::log_softmax.int": softmax("LogSoftmax"),
  "aten::mean.dim": reduced("ReduceMean"),
  "aten::amax": reduced("ReduceMax"),
  "aten::amin": reduced("ReduceMin"),
  "aten::sum.dim_IntList": sum,
  "aten::linalg_vector_norm": vectorNorm,
  "aten::max_pool2d": maxPool,
  "aten::upsample_nearest2d": upsample("nearest"),
  "aten::upsample_bilinear2d": upsample("linear"),
  "omni_id::layer_norm": (c) => normed(c, c.like(0), { weight: c.value(1), bias: c.value(2), eps: c.number(3, 1e-5) }),
  "omni_id::add_layer_norm": (c) => {
    const added = c.b.node("Add", [c.like(0), c.like(1)]);
    return [added, normed(c, added, { weight: c.value(2), bias: c.value(3), eps: c.number(4, 1e-5) })];
  },
  "omni_id::modulated_norm": (c) => {
    const scaled = c.b.node("Mul", [
      normed(c, c.like(0), { eps: c.number(3, 1e-6) }),
      c.b.node("Add", [c.like(2), c.b.scalar(1, c.dtype)]),
    ]);
    return c.b.node("Add", [scaled, c.like(1)]);
  },
  "omni_id::gated_add": (c) => c.b.node("Add", [c.like(0), c.b.node("Mul", [c.like(1), c.like(2)])]),
  "omni_id::bias_gelu": (c) => gelu(c, c.b.node("Add", [c.like(0), c.like(1)]), c.text(2, "none")),
  ...attentionRules,
};
