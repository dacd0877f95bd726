import { full } from "../factories.ts";
import * as F from "../functional.ts";
import { rawOperator } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import type { NodeContext, OperatorTable } from "./node-context.ts";
import { resize, upsample } from "./resize.ts";

/** ATen has these by number of spatial dimensions. */
const byDimensions = (name: (n: number) => string) => {
  const made = new Map<number, ReturnType<typeof rawOperator>>();
  return (n: number) => {
    if (n < 1 || n > 3) throw new Error(`${n} spatial dimensions are not supported`);
    const operator = made.get(n) ?? rawOperator(name(n));
    made.set(n, operator);
    return operator;
  };
};
const convOf = byDimensions((n) => `aten::conv${n}d`);
const convTransposeOf = byDimensions((n) => (n === 1 ? "aten::conv_transpose1d" : `aten::conv_transpose${n}d.input`));
const maxPoolOf = byDimensions((n) => `aten::max_pool${n}d`);
const averagePoolOf = byDimensions((n) => `aten::avg_pool${n}d`);
const instanceNorm = rawOperator("aten::instance_norm");

interface Window {
  x: Tensor;
  kernel: number[];
  strides: number[];
  dilations: number[];
  begin: number[];
  end: number[];
}

function windowOf(context: NodeContext, kernel: number[]): Window {
  const x = context.input(0);
  const n = x.ndim - 2;
  const strides = context.list("strides", Array<number>(n).fill(1));
  const dilations = context.list("dilations", Array<number>(n).fill(1));
  const auto = context.text("auto_pad", "NOTSET");
  if (auto === "SAME_UPPER" || auto === "SAME_LOWER") {
    const total = kernel.map((size, i) => {
      const inputs = x.shape[i + 2];
      const reach = (Math.ceil(inputs / strides[i]) - 1) * strides[i] + (size - 1) * dilations[i] + 1;
      return Math.max(0, reach - inputs);
    });
    const less = total.map((size) => Math.floor(size / 2));
    const more = total.map((size) => Math.ceil(size / 2));
    const [begin, end] = auto === "SAME_UPPER" ? [less, more] : [more, less];
    return { x, kernel, strides, dilations, begin, end };
  }
  const pads = auto === "VALID" ? [] : context.list("pads", []);
  const at = (from: number) => Array.from({ length: n }, (_, i) => pads[from + i] ?? 0);
  return { x, kernel, strides, dilations, begin: at(0), end: at(n) };
}

/** ATen wants the same padding on both sides; what is more than that is padded apart. */
function padded({ x, begin, end, kernel }: Window, value: number, { pooling = false } = {}): [Tensor, number[]] {
  // Poolings take at most half a window of padding.
  const even = begin.every((size, i) => size === end[i] && (!pooling || 2 * size <= kernel[i]));
  if (even) return [x, begin];
  const pairs = begin.flatMap((_, i, { length }) => [begin[length - 1 - i], end[length - 1 - i]]);
  return [F.pad(x, pairs, { value }), begin.map(() => 0)];
}

function conv(context: NodeContext): Tensor {
  const weight = context.input(1);
  const window = windowOf(context, weight.shape.slice(2));
  const [x, padding] = padded(window, 0);
  const { strides, dilations } = window;
  const bias = context.optional(2)?.handle;
  const groups = context.number("group", 1);
  return convOf(padding.length)(x.handle, weight.handle, bias, strides, padding, dilations, groups);
}

function convTranspose(context: NodeContext): Tensor {
  if (context.has("output_shape") || context.text("auto_pad", "NOTSET").startsWith("SAME"))
    throw new Error("output_shape and auto_pad are not supported; export with explicit pads");
  const weight = context.input(1);
  const { x, strides, dilations, begin, end } = windowOf(context, weight.shape.slice(2));
  const n = begin.length;
  const outputPadding = context.list("output_padding", Array<number>(n).fill(0));
  const even = begin.every((size, i) => size === end[i]);
  const padding = even ? begin : begin.map(() => 0);
  const bias = context.optional(2)?.handle;
  const groups = context.number("group", 1);
  const y = convTransposeOf(n)(x.handle, weight.handle, bias, strides, padding, outputPadding, groups, dilations);
  if (even) return y;
  return begin.reduce((cut, size, i) => cut.slice(i + 2, size, y.shape[i + 2] - end[i]), y);
}

function maxPool(context: NodeContext): Tensor {
  const window = windowOf(context, context.list("kernel_shape", []));
  const [x, padding] = padded(window, Number.NEGATIVE_INFINITY, { pooling: true });
  const { kernel, strides, dilations } = window;
  return maxPoolOf(padding.length)(x.handle, kernel, strides, padding, dilations, context.flag("ceil_mode"));
}

function averagePool(context: NodeContext): Tensor {
  const window = windowOf(context, context.list("kernel_shape", []));
  if (window.dilations.some((size) => size !== 1)) throw new Error("dilations are not supported");
  const { kernel, strides } = window;
  const countsPadding = context.flag("count_include_pad");
  const pool = (source: Window) => {
    const [x, padding] = padded(source, 0, { pooling: true });
    const apart = padding.every((size) => size === 0);
    return {
      apart,
      y: averagePoolOf(padding.length)(
        x.handle,
        kernel,
        strides,
        padding,
        context.flag("ceil_mode"),
        countsPadding || apart,
      ),
    };
  };
  const { y, apart } = pool(window);
  if (countsPadding || !apart) return y;
  const { x } = window;
  const ones = full([1, 1, ...x.shape.slice(2)], 1, { dtype: x.dtype, device: x.device });
  return y.div(pool({ ...window, x: ones }).y); // padding was averaged in as zeros: its share is taken out again
}

const spatial = (x: Tensor) => [...x.shape.keys()].slice(2);

/** By the statistics of the training: the graph is used as it was exported, for inference. */
function batchNormalization(context: NodeContext): Tensor {
  if (context.flag("training_mode")) throw new Error("it was exported in training mode; export the model in eval mode");
  const [weight, bias, mean, variance] = [1, 2, 3, 4].map((place) => context.input(place));
  const x = context.input(0);
  const shape = [1, -1, ...spatial(x).map(() => 1)];
  const scale = weight.mul(variance.add(context.number("epsilon", 1e-5)).rsqrt());
  const shift = bias.sub(mean.mul(scale));
  return x.mul(scale.view(shape)).add(shift.view(shape));
}

function instanceNormalization(context: NodeContext): Tensor {
  const [x, weight, bias] = [0, 1, 2].map((place) => context.input(place).handle);
  return instanceNorm(x, weight, bias, undefined, undefined, true, 0, context.number("epsilon", 1e-5), false);
}

function groupNormalization(context: NodeContext): Tensor {
  const x = context.input(0);
  const groups = context.number("num_groups", 1);
  // Before version 21 there is one scale a group, from then on one a channel.
  const [weight, bias] = [1, 2].map((place) => {
    const values = context.input(place);
    return values.shape[0] === x.shape[1] ? values : values.repeatInterleave(x.shape[1] / groups, 0);
  });
  return F.groupNorm(x, groups, weight, bias, { eps: context.number("epsilon", 1e-5) });
}

function layerNormalization(context: NodeContext): Tensor {
  const x = context.input(0);
  const shape = x.shape.slice(context.number("axis", -1));
  return F.layerNorm(x, shape, context.input(1), context.optional(2), { eps: context.number("epsilon", 1e-5) });
}

function gemm(context: NodeContext): Tensor {
  const [a, b] = [context.input(0), context.input(1)];
  const left = context.flag("transA") ? a.transpose(0, 1) : a;
  const right = context.flag("transB") ? b.transpose(0, 1) : b;
  const c = context.optional(2);
  const [alpha, beta] = [context.number("alpha", 1), context.number("beta", 1)];
  if (c && c.ndim <= 2) return c.addmm(left, right, { alpha, beta });
  const product = left.matmul(right);
  return alpha === 1 ? product : product.mul(alpha);
}

/** One slope for all, one a channel, or any that broadcasts. */
function prelu(context: NodeContext): Tensor {
  const [x, slope] = [context.input(0), context.input(1)];
  const perChannel = slope.ndim === x.ndim - 1 && slope.shape[0] === x.shape[1] && slope.numel === slope.shape[0];
  if (perChannel || slope.numel === 1) return F.prelu(x, slope.reshape([-1]));
  return x.relu().sub(x.neg().relu().mul(slope));
}

/** The layers of neural networks. */
export const nnOperators: OperatorTable = {
  Conv: conv,
  ConvTranspose: convTranspose,
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: (c) => c.input(0).mean(spatial(c.input(0)), { keepdim: true }),
  GlobalMaxPool: (c) => c.input(0).amax(spatial(c.input(0)), { keepdim: true }),
  BatchNormalization: batchNormalization,
  InstanceNormalization: instanceNormalization,
  GroupNormalization: groupNormalization,
  LayerNormalization: layerNormalization,
  Gemm: gemm,
  PRelu: prelu,
  Resize: resize,
  Upsample: upsample,
};
