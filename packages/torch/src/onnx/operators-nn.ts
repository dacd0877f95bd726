import * as F from "../functional.ts";
import type { Tensor } from "../tensor.ts";
import type { NodeContext, OnnxOperator } from "./node-context.ts";

/** ONNX pads as [top, left, bottom, right]; ATen wants symmetric padding, the rest is padded apart. */
function padded(x: Tensor, context: NodeContext, value = 0): { x: Tensor; padding: [number, number] } {
  const auto = context.text("auto_pad", "NOTSET");
  if (auto !== "NOTSET" && auto !== "VALID")
    throw new Error(`auto_pad ${auto} is not supported; export with explicit pads`);
  const [top, left, bottom, right] = context.list("pads", [0, 0, 0, 0]);
  if (top === bottom && left === right) return { x, padding: [top, left] };
  return { x: F.pad(x, [left, right, top, bottom], { value }), padding: [0, 0] };
}

function conv(context: NodeContext): Tensor {
  const { x, padding } = padded(context.input(0), context);
  const settings = {
    stride: context.list("strides", [1, 1]),
    padding,
    dilation: context.list("dilations", [1, 1]),
    groups: context.number("group", 1),
  };
  return F.conv2d(x, context.input(1), context.optional(2), settings);
}

function convTranspose(context: NodeContext): Tensor {
  const [top, left, bottom, right] = context.list("pads", [0, 0, 0, 0]);
  if (top !== bottom || left !== right) throw new Error("unequal pads are not supported");
  return F.convTranspose2d(context.input(0), context.input(1), context.optional(2), {
    stride: context.list("strides", [1, 1]),
    padding: [top, left],
    outputPadding: context.list("output_padding", [0, 0]),
    groups: context.number("group", 1),
    dilation: context.list("dilations", [1, 1]),
  });
}

function maxPool(context: NodeContext): Tensor {
  const { x, padding } = padded(context.input(0), context, Number.NEGATIVE_INFINITY);
  return F.maxPool2d(x, context.list("kernel_shape", [1, 1]), {
    stride: context.list("strides", [1, 1]),
    padding,
    dilation: context.list("dilations", [1, 1]),
    ceilMode: context.number("ceil_mode", 0) === 1,
  });
}

function averagePool(context: NodeContext): Tensor {
  const { x, padding } = padded(context.input(0), context);
  return F.avgPool2d(x, context.list("kernel_shape", [1, 1]), {
    stride: context.list("strides", [1, 1]),
    padding,
    ceilMode: context.number("ceil_mode", 0) === 1,
    countIncludePad: context.number("count_include_pad", 0) === 1,
  });
}

/** By the statistics of the training: the graph is used as it was exported, for inference. */
function batchNormalization(context: NodeContext): Tensor {
  const [weight, bias, mean, variance] = [1, 2, 3, 4].map((place) => context.input(place));
  const x = context.input(0);
  const shape = [1, -1, ...Array<number>(x.ndim - 2).fill(1)];
  const scale = weight.mul(variance.add(context.number("epsilon", 1e-5)).rsqrt());
  const shift = bias.sub(mean.mul(scale));
  return x.mul(scale.view(shape)).add(shift.view(shape));
}

function gemm(context: NodeContext): Tensor {
  const [a, b] = [context.input(0), context.input(1)];
  const left = context.number("transA", 0) ? a.transpose(0, 1) : a;
  const right = context.number("transB", 0) ? b.transpose(0, 1) : b;
  const product = left.matmul(right).mul(context.number("alpha", 1));
  const c = context.optional(2);
  return c ? product.add(c.mul(context.number("beta", 1))) : product;
}

function layerNormalization(context: NodeContext): Tensor {
  const x = context.input(0);
  const axis = context.number("axis", -1);
  const shape = x.shape.slice(axis);
  return F.layerNorm(x, shape, context.input(1), context.optional(2), { eps: context.number("epsilon", 1e-5) });
}

function resize(context: NodeContext): Tensor {
  const x = context.input(0);
  const isUpsample = context.node.op === "Upsample";
  const mode = context.text("mode", "nearest");
  const scales = context.optional(isUpsample ? 1 : 2);
  const sizes = isUpsample ? undefined : context.integers(3);
  const factors = scales && scales.numel > 0 ? Array.from(scales.toTypedArray(), Number) : context.list("scales");
  const size = sizes ? sizes.slice(2) : factors?.slice(2).map((factor, i) => Math.floor(x.shape[i + 2] * factor));
  if (!size) throw new Error("neither scales nor sizes are given");
  const [height, width] = size;
  const alignCorners = context.text("coordinate_transformation_mode", "half_pixel") === "align_corners";
  if (mode === "nearest") return F.interpolate(x, { size: [height, width], mode: "nearest" });
  if (mode === "linear") return F.interpolate(x, { size: [height, width], mode: "bilinear", alignCorners });
  throw new Error(`mode ${mode} is not supported`);
}

export const nnOperators: Readonly<Record<string, OnnxOperator>> = {
  Conv: conv,
  ConvTranspose: convTranspose,
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: (c) => c.input(0).mean([2, 3], { keepdim: true }),
  GlobalMaxPool: (c) => c.input(0).amax([2, 3], { keepdim: true }),
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  Gemm: gemm,
  MatMul: (c) => c.input(0).matmul(c.input(1)),
  PRelu: (c) => F.prelu(c.input(0), c.input(1).flatten()),
  Relu: (c) => c.input(0).relu(),
  LeakyRelu: (c) => F.leakyRelu(c.input(0), c.number("alpha", 0.01)),
  Elu: (c) => F.elu(c.input(0), c.number("alpha", 1)),
  Sigmoid: (c) => c.input(0).sigmoid(),
  HardSigmoid: (c) => c.input(0).mul(c.number("alpha", 0.2)).add(c.number("beta", 0.5)).clamp(0, 1),
  HardSwish: (c) => F.hardswish(c.input(0)),
  Tanh: (c) => c.input(0).tanh(),
  Gelu: (c) => F.gelu(c.input(0), { approximate: c.text("approximate", "none") }),
  Softplus: (c) => F.softplus(c.input(0)),
  Softmax: (c) => c.input(0).softmax(c.number("axis", -1)),
  LogSoftmax: (c) => c.input(0).logSoftmax(c.number("axis", -1)),
  Resize: resize,
  Upsample: resize,
};
