import { isFloatingPoint } from "../dtype.ts";
import { full } from "../factories.ts";
import * as F from "../functional.ts";
import { rawOperator } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { type NodeContext, type OperatorTable, obeying } from "./node-context.ts";
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

function kernelOf(context: NodeContext, weight: Tensor): number[] {
  const kernel = weight.shape.slice(2);
  const said = context.list("kernel_shape", kernel);
  if (said.join() !== kernel.join()) throw new Error(`kernel_shape [${said}] is not that of the weight, [${kernel}]`);
  return kernel;
}

function conv(context: NodeContext): Tensor {
  const weight = context.input(1);
  const window = windowOf(context, kernelOf(context, weight));
  const [x, padding] = padded(window, 0);
  const { strides, dilations } = window;
  const bias = context.optional(2)?.handle;
  const groups = context.number("group", 1);
  return convOf(padding.length)(x.handle, weight.handle, bias, strides, padding, dilations, groups);
}

function convTranspose(context: NodeContext): Tensor {
  const weight = context.input(1);
  const { x, strides, dilations, begin, end, kernel } = windowOf(context, kernelOf(context, weight));
  const n = begin.length;
  const extra = context.list("output_padding", Array<number>(n).fill(0));
  const auto = context.text("auto_pad", "NOTSET");
  const same = auto.startsWith("SAME") ? strides.map((stride, i) => stride * x.shape[i + 2]) : undefined;
  const wanted = context.list("output_shape")?.slice(-n) ?? same;
  const whole = kernel.map((size, i) => strides[i] * (x.shape[i + 2] - 1) + extra[i] + (size - 1) * dilations[i] + 1);
  // What is cut off at both ends of the whole result; a negative cut adds zeros.
  const cut = wanted?.map((size, i) => whole[i] - size);
  const half = (size: number) => Math.floor(size / 2);
  const first = cut?.map((size) => (auto === "SAME_UPPER" ? half(size) : size - half(size))) ?? begin;
  const last = cut?.map((size, i) => size - first[i]) ?? end;
  const even = first.every((size, i) => size === last[i] && size >= 0);
  const bias = context.optional(2)?.handle;
  const groups = context.number("group", 1);
  const padding = even ? first : first.map(() => 0);
  const y = convTransposeOf(n)(x.handle, weight.handle, bias, strides, padding, extra, groups, dilations);
  if (even) return y;
  return F.pad(
    y,
    first.flatMap((_, i) => [-first[n - 1 - i], -last[n - 1 - i]]),
  );
}

function maxPool(context: NodeContext): Tensor {
  context.only("storage_order", 0); // of the places that are the second output
  const window = windowOf(context, context.list("kernel_shape", []));
  const { dtype } = window.x;
  // ATen's kernels know floats alone, and zeros are not below every byte.
  const floats = isFloatingPoint(dtype) ? window : { ...window, x: window.x.float() };
  const [x, padding] = padded(floats, Number.NEGATIVE_INFINITY, { pooling: true });
  const { kernel, strides, dilations } = window;
  const pool = maxPoolOf(padding.length);
  return pool(x.handle, kernel, strides, padding, dilations, context.flag("ceil_mode")).to(dtype);
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
  context.only("spatial", 1);
  context.only("is_test", 1);
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
  context.only("stash_type", 1);
  const x = context.input(0);
  const groups = context.number("num_groups", 1);
  // Before version 21 there is one scale a group, from then on one a channel.
  const [weight, bias] = [1, 2].map((place) => {
    const values = context.input(place);
    return values.shape[0] === x.shape[1] ? values : values.repeatInterleave(x.shape[1] / groups, 0);
  });
  return F.groupNorm(x, groups, weight, bias, { eps: context.number("epsilon", 1e-5) });
}

function layerNormalization(context: NodeContext): Tensor[] {
  context.only("stash_type", 1);
  const x = context.input(0);
  const shape = x.shape.slice(context.number("axis", -1));
  const eps = context.number("epsilon", 1e-5);
  const y = F.layerNorm(x, shape, context.input(1), context.optional(2), { eps });
  if (context.node.outputs.length < 2) return [y];
  const axes = shape.map((_, i) => x.ndim - shape.length + i);
  const mean = x.mean(axes, { keepdim: true });
  const variance = x.sub(mean).square().mean(axes, { keepdim: true });
  return [y, mean, variance.add(eps).rsqrt()];
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

/** Divides by the squares of neighbouring channels. */
function localResponse(context: NodeContext): Tensor {
  const x = context.input(0);
  const size = context.number("size", 1);
  const before = Math.floor((size - 1) / 2);
  const squares = F.pad(x.square().flatten(2).transpose(1, 2), [before, size - 1 - before]);
  const sums = squares.unfold(2, size, 1).sum([-1]).transpose(1, 2).reshape(x.shape);
  const scaled = sums.mul(context.number("alpha", 1e-4) / size).add(context.number("bias", 1));
  return x.div(scaled.pow(context.number("beta", 0.75)));
}

function meanVariance(context: NodeContext): Tensor {
  const x = context.input(0);
  const axes = context.list("axes", [0, 2, 3]);
  const centred = x.sub(x.mean(axes, { keepdim: true }));
  return centred.div(centred.square().mean(axes, { keepdim: true }).sqrt().add(1e-9));
}

const gridSampler = rawOperator("aten::grid_sampler");
/** ATen's numbers; the standard's names before and after version 20. */
const SAMPLINGS: Readonly<Record<string, number>> = { bilinear: 0, linear: 0, nearest: 1, bicubic: 2, cubic: 2 };
const PADDINGS: Readonly<Record<string, number>> = { zeros: 0, border: 1, reflection: 2 };

/** Values of `[B, C, H, W]` at the places of a grid `[B, H′, W′, 2]` in −1 … 1, x first. */
function gridSample(context: NodeContext): Tensor {
  const [mode, padding] = [context.text("mode", "linear"), context.text("padding_mode", "zeros")];
  if (!(mode in SAMPLINGS) || !(padding in PADDINGS)) throw new Error(`mode ${mode}, ${padding} is not supported`);
  // There ATen takes another of two equally near neighbours than the standard does.
  if (mode === "nearest" && context.input(0).ndim === 5) throw new Error("mode nearest of a volume is not supported");
  const [x, grid] = [context.input(0), context.input(1).to(context.input(0).dtype)];
  return gridSampler(x.handle, grid.handle, SAMPLINGS[mode], PADDINGS[padding], context.flag("align_corners"));
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
  Conv: obeying("auto_pad dilations kernel_shape pads strides group", conv),
  ConvTranspose: obeying(
    "auto_pad dilations kernel_shape pads strides group output_padding output_shape",
    convTranspose,
  ),
  MaxPool: obeying("auto_pad dilations kernel_shape pads strides ceil_mode storage_order", maxPool),
  AveragePool: obeying("auto_pad dilations kernel_shape pads strides ceil_mode count_include_pad", averagePool),
  LRN: obeying("alpha beta bias size", localResponse),
  MeanVarianceNormalization: obeying("axes", meanVariance),
  GridSample: obeying("align_corners mode padding_mode", gridSample),
  GlobalAveragePool: (c) => c.input(0).mean(spatial(c.input(0)), { keepdim: true }),
  GlobalMaxPool: (c) => c.input(0).amax(spatial(c.input(0)), { keepdim: true }),
  BatchNormalization: obeying("epsilon momentum spatial training_mode is_test", batchNormalization),
  InstanceNormalization: obeying("epsilon", instanceNormalization),
  GroupNormalization: obeying("epsilon num_groups stash_type", groupNormalization),
  LayerNormalization: obeying("axis epsilon stash_type", layerNormalization),
  Gemm: obeying("alpha beta transA transB", gemm),
  PRelu: prelu,
  Resize: obeying(
    "antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside extrapolation_value keep_aspect_ratio_policy mode nearest_mode",
    resize,
  ),
  Upsample: obeying("mode scales", upsample),
};
