import { Generator, randint, randn, type Tensor, tensor } from "@omni-id/torch";
import { type Case, checkCases } from "./onnx-case.ts";
import { float } from "./onnx-graph.ts";

const generator = new Generator(5);
const normal = (...shape: number[]) => randn(shape, { generator });
const positive = (...shape: number[]) =>
  normal(...shape)
    .abs()
    .add(0.3);
const ints = (...values: number[]) => tensor(values, { dtype: "int64" });
const whole = (...shape: number[]) => randint(-9, 9, shape, { generator }).add(0);

const x34 = () => normal(3, 4);
const image = () => normal(2, 3, 6, 5);
const unary = (ops: string, input: () => Tensor, more: Partial<Case> = {}): Case[] =>
  ops.split(" ").map((op) => ({ op, inputs: [input()], gradient: true, ...more }));
const binary = (ops: string, a: () => Tensor, b: () => Tensor, more: Partial<Case> = {}): Case[] =>
  ops.split(" ").map((op) => ({ op, inputs: [a(), b()], ...more }));

const elementwise: Case[] = [
  ...unary("Abs Neg Exp Erf Sin Cos Tan Atan Sigmoid Tanh Softplus Softsign HardSwish Elu Celu Selu Identity", x34),
  ...unary("Relu LeakyRelu", x34),
  ...unary("Sqrt Log Reciprocal", () => positive(3, 4)),
  ...unary("Sign Floor Ceil Round", () => x34().mul(3), { gradient: false }),
  { op: "Round", inputs: [tensor([0.5, 1.5, 2.5, -0.5, -1.5])] },
  { op: "Mish", inputs: [x34()], opset: 18, gradient: true },
  { op: "Gelu", inputs: [x34()], opset: 20, gradient: true },
  { op: "Gelu", inputs: [x34()], opset: 20, attributes: { approximate: "tanh" }, gradient: true },
  { op: "LeakyRelu", inputs: [x34()], attributes: { alpha: float(0.2) } },
  { op: "Elu", inputs: [x34()], attributes: { alpha: float(0.5) } },
  { op: "HardSigmoid", inputs: [x34().mul(3)], attributes: { alpha: float(0.3), beta: float(0.4) } },
  { op: "ThresholdedRelu", inputs: [x34()], attributes: { alpha: float(0.5) } },
  { op: "PRelu", inputs: [image(), positive(3, 1, 1)], gradient: true },
  { op: "PRelu", inputs: [image(), positive(1)], gradient: true },
  { op: "PRelu", inputs: [image(), positive(5)], gradient: true }, // broadcasts along the width
  ...binary("Add Sub Mul Div", image, () => positive(3, 1, 5), { gradient: true }),
  { op: "Pow", inputs: [positive(3, 4), x34()], gradient: true },
  { op: "Pow", inputs: [positive(3, 4)], stored: { 1: ints(3) } },
  ...binary(
    "Div",
    () => whole(3, 4),
    () => ints(4, -3, 2, -5),
  ), // truncates towards zero
  ...binary(
    "Mod",
    () => whole(3, 4),
    () => ints(4, -3, 2, -5),
  ),
  ...binary("Mod", x34, () => positive(4), { attributes: { fmod: 1 } }),
  ...binary(
    "Equal Less LessOrEqual Greater GreaterOrEqual",
    () => whole(3, 4),
    () => whole(4),
  ),
  ...binary(
    "And Or Xor",
    () => x34().gt(0),
    () => normal(4).gt(0),
  ),
  ...unary("Not", () => x34().gt(0), { gradient: false }),
  { op: "IsNaN", inputs: [tensor([1, Number.NaN, Number.POSITIVE_INFINITY])] },
  { op: "IsInf", inputs: [tensor([1, Number.NaN, Number.NEGATIVE_INFINITY])] },
  { op: "Where", inputs: [x34().gt(0), x34(), normal(4)] },
  { op: "Max", inputs: [x34(), normal(4), normal(3, 1)], gradient: true },
  { op: "Min", inputs: [x34(), normal(4)], gradient: true },
  { op: "Sum", inputs: [x34(), x34(), normal(4)], gradient: true },
  { op: "Mean", inputs: [x34(), x34(), normal(4)], gradient: true },
  { op: "Clip", inputs: [x34()], stored: { 1: tensor(-0.5), 2: tensor(0.4) }, gradient: true },
  { op: "Clip", inputs: [x34()], stored: { 2: tensor(0.4) } },
  { op: "Clip", inputs: [x34()], opset: 6, attributes: { min: float(-0.3) } },
  { op: "Clip", inputs: [x34()] },
  { op: "Cast", inputs: [x34().mul(5)], attributes: { to: 7 } },
  { op: "Cast", inputs: [whole(3)], attributes: { to: 1 } },
  { op: "Cast", inputs: [x34()], attributes: { to: 9 } },
  { op: "Softmax", inputs: [normal(2, 3, 4)], attributes: { axis: 1 }, gradient: true },
  { op: "Softmax", inputs: [normal(2, 3, 4)], gradient: true },
  { op: "Softmax", inputs: [normal(2, 3, 4)], opset: 11, attributes: { axis: 1 }, gradient: true }, // 3 and 4 as one
  { op: "LogSoftmax", inputs: [normal(2, 3, 4)], opset: 12, gradient: true },
  { op: "Dropout", inputs: [x34()], opset: 12, gradient: true },
];

const reductions: Case[] = [
  ...["ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceProd"].flatMap(
    (op): Case[] => [
      { op, inputs: [normal(2, 3, 4)], attributes: { axes: [1, -1], keepdims: 0 }, gradient: true },
      { op, inputs: [normal(2, 3)], gradient: true },
    ],
  ),
  { op: "ReduceLogSum", inputs: [positive(2, 3)], attributes: { axes: [1] }, gradient: true },
  { op: "ReduceLogSumExp", inputs: [normal(2, 3)], attributes: { axes: [0] }, gradient: true },
  { op: "ReduceSum", inputs: [normal(2, 3, 4)], stored: { 1: ints(0, 2) }, gradient: true },
  { op: "ReduceSum", inputs: [normal(2, 3)], attributes: { noop_with_empty_axes: 1 } },
  { op: "ReduceMean", inputs: [normal(2, 3, 4)], stored: { 1: ints(1) }, opset: 18 },
  { op: "ArgMax", inputs: [normal(2, 3, 4)], attributes: { axis: 1, keepdims: 0 } },
  { op: "ArgMin", inputs: [normal(2, 3)] },
  { op: "CumSum", inputs: [normal(2, 3)], stored: { 1: tensor(1, { dtype: "int64" }) }, gradient: true },
  { op: "TopK", inputs: [normal(3, 7)], stored: { 1: ints(3) }, outputs: 2 },
];

const products: Case[] = [
  { op: "MatMul", inputs: [normal(2, 3, 4), normal(4, 5)], gradient: true },
  { op: "Gemm", inputs: [normal(3, 4), normal(4, 5)], gradient: true },
  {
    op: "Gemm",
    inputs: [normal(4, 3), normal(5, 4), normal(5)],
    attributes: { transA: 1, transB: 1, alpha: float(0.5), beta: float(2) },
    gradient: true,
  },
  {
    op: "Einsum",
    inputs: [normal(2, 3, 4), normal(2, 5, 4)],
    attributes: { equation: "bij,bkj->bik" },
    gradient: true,
  },
];

const shapes: Case[] = [
  { op: "Reshape", inputs: [normal(2, 3, 4)], stored: { 1: ints(0, -1, 2) }, gradient: true },
  { op: "Flatten", inputs: [image()], gradient: true },
  { op: "Flatten", inputs: [image()], attributes: { axis: -1 } },
  { op: "Flatten", inputs: [image()], attributes: { axis: 0 } },
  { op: "Transpose", inputs: [normal(2, 3, 4)], attributes: { perm: [2, 0, 1] }, gradient: true },
  { op: "Transpose", inputs: [normal(2, 3, 4)] },
  { op: "Concat", inputs: [normal(2, 3), normal(2, 4)], attributes: { axis: -1 }, gradient: true },
  {
    op: "Slice",
    inputs: [normal(5, 6)],
    stored: { 1: ints(1, -5), 2: ints(4, 1_000_000), 3: ints(0, 1), 4: ints(2, 3) },
    gradient: true,
  },
  {
    op: "Slice",
    inputs: [normal(5, 6)],
    stored: { 1: ints(-1), 2: ints(-1_000_000), 3: ints(1), 4: ints(-2) },
    gradient: true,
  },
  { op: "Slice", inputs: [normal(5, 6)], stored: { 1: ints(4), 2: ints(0), 3: ints(0), 4: ints(-3) } },
  { op: "Slice", inputs: [normal(5, 6)], stored: { 1: ints(3), 2: ints(2) } }, // empty
  { op: "Slice", inputs: [normal(5, 6)], opset: 9, attributes: { starts: [1], ends: [3], axes: [1] } },
  { op: "Split", inputs: [normal(7, 4)], stored: { 1: ints(2, 5) }, outputs: 2 },
  { op: "Split", inputs: [normal(4, 6)], attributes: { axis: 1 }, outputs: 3 },
  { op: "Split", inputs: [normal(7, 4)], attributes: { num_outputs: 3 }, outputs: 3, opset: 18 },
  { op: "Split", inputs: [normal(4, 6)], attributes: { axis: 1, split: [1, 5] }, outputs: 2, opset: 11 },
  {
    op: "Gather",
    inputs: [normal(4, 5)],
    stored: {
      1: tensor([
        [0n, -1n],
        [2n, 2n],
      ]),
    },
    attributes: { axis: 1 },
    gradient: true,
  },
  { op: "Gather", inputs: [normal(4, 5)], stored: { 1: tensor(-2n) } },
  { op: "GatherElements", inputs: [normal(3, 3)], stored: { 1: tensor([[0n, -1n, 2n]]) }, gradient: true },
  { op: "Squeeze", inputs: [normal(1, 3, 1, 2)], stored: { 1: ints(0, -2) }, gradient: true },
  { op: "Squeeze", inputs: [normal(1, 3, 1, 2)] },
  { op: "Squeeze", inputs: [normal(1, 3, 1, 2)], opset: 11, attributes: { axes: [2] } },
  { op: "Unsqueeze", inputs: [normal(3, 2)], stored: { 1: ints(-1, 0) }, gradient: true },
  { op: "Unsqueeze", inputs: [normal(3, 2)], opset: 11, attributes: { axes: [1, 2] } },
  { op: "Expand", inputs: [normal(3, 1)], stored: { 1: ints(2, 1, 4) }, gradient: true },
  { op: "Tile", inputs: [normal(2, 3)], stored: { 1: ints(2, 3) }, gradient: true },
  { op: "Pad", inputs: [normal(2, 3)], stored: { 1: ints(1, 0, 2, 3), 2: tensor(0.7) }, gradient: true },
  { op: "Pad", inputs: [normal(4, 5)], stored: { 1: ints(-1, 0, 2, -2) } },
  {
    op: "Pad",
    inputs: [image()],
    stored: { 1: ints(0, 0, 1, 2, 0, 0, 2, 1) },
    attributes: { mode: "reflect" },
    gradient: true,
  },
  {
    op: "Pad",
    inputs: [image()],
    stored: { 1: ints(0, 0, 1, 0, 0, 0, 0, 3) },
    attributes: { mode: "edge" },
    gradient: true,
  },
  { op: "Pad", inputs: [normal(4, 5)], stored: { 1: ints(1, 2), 3: ints(1) }, opset: 18 },
  { op: "DepthToSpace", inputs: [normal(2, 8, 2, 3)], attributes: { blocksize: 2 }, gradient: true },
  { op: "DepthToSpace", inputs: [normal(2, 8, 2, 3)], attributes: { blocksize: 2, mode: "CRD" } },
  { op: "SpaceToDepth", inputs: [normal(2, 3, 4, 6)], attributes: { blocksize: 2 }, gradient: true },
  { op: "Trilu", inputs: [normal(4, 5)], stored: { 1: tensor(1n) } },
  { op: "Trilu", inputs: [normal(4, 5)], attributes: { upper: 0 } },
  { op: "Shape", inputs: [normal(4, 5, 2)] },
  { op: "Shape", inputs: [normal(4, 5, 2)], attributes: { start: 1, end: -1 } },
  { op: "Size", inputs: [normal(4, 5)] },
  { op: "Constant", attributes: { value: tensor([1, 2]) } },
  { op: "Constant", attributes: { value_float: float(1.5) } },
  { op: "Constant", attributes: { value_int: 7 } },
  { op: "Constant", attributes: { value_ints: [3, 4] } },
  { op: "Constant", attributes: { value_floats: { floats: [0.5, 4] } } },
  { op: "ConstantOfShape", inputs: [ints(2, 3)], attributes: { value: tensor([7n]) } },
  { op: "ConstantOfShape", inputs: [ints(2)] },
  { op: "Range", inputs: [tensor(1n), tensor(9n), tensor(3n)] },
];

const layers: Case[] = [
  { op: "Conv", inputs: [image(), normal(4, 3, 3, 3), normal(4)], attributes: { pads: [1, 1, 1, 1] }, gradient: true },
  {
    op: "Conv",
    inputs: [image(), normal(6, 1, 3, 2)],
    attributes: { group: 3, strides: [2, 1], pads: [1, 0, 0, 1] },
    gradient: true,
  },
  { op: "Conv", inputs: [image(), normal(2, 3, 2, 2)], attributes: { dilations: [2, 2] }, gradient: true },
  { op: "Conv", inputs: [image(), normal(2, 3, 3, 2)], attributes: { auto_pad: "SAME_UPPER", strides: [2, 2] } },
  { op: "Conv", inputs: [image(), normal(2, 3, 3, 2)], attributes: { auto_pad: "SAME_LOWER" } },
  { op: "Conv", inputs: [normal(2, 3, 9), normal(4, 3, 3)], attributes: { pads: [1, 2] }, gradient: true },
  { op: "Conv", inputs: [normal(1, 2, 4, 4, 4), normal(3, 2, 2, 2, 2)] },
  {
    op: "ConvTranspose",
    inputs: [image(), normal(3, 4, 3, 3), normal(4)],
    attributes: { strides: [2, 2], pads: [1, 1, 1, 1], output_padding: [1, 1] },
    gradient: true,
  },
  { op: "ConvTranspose", inputs: [image(), normal(3, 4, 3, 3)], attributes: { pads: [0, 1, 2, 0] }, gradient: true },
  { op: "MaxPool", inputs: [image()], attributes: { kernel_shape: [2, 2], strides: [2, 2] }, gradient: true },
  {
    op: "MaxPool",
    inputs: [image()],
    attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [0, 1, 2, 1] },
    gradient: true,
  },
  { op: "MaxPool", inputs: [image()], attributes: { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 } },
  {
    op: "AveragePool",
    inputs: [image()],
    attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
    gradient: true,
  },
  { op: "AveragePool", inputs: [image()], attributes: { kernel_shape: [3, 2], pads: [1, 0, 0, 1] }, gradient: true },
  {
    op: "AveragePool",
    inputs: [image()],
    attributes: { kernel_shape: [3, 2], pads: [1, 0, 0, 1], count_include_pad: 1 },
  },
  { op: "GlobalAveragePool", inputs: [image()], gradient: true },
  { op: "GlobalMaxPool", inputs: [image()], gradient: true },
  {
    op: "BatchNormalization",
    inputs: [image(), positive(3), normal(3), normal(3), positive(3)],
    attributes: { epsilon: float(0.01) },
    gradient: true,
  },
  { op: "BatchNormalization", inputs: [normal(4, 3), positive(3), normal(3), normal(3), positive(3)] },
  { op: "InstanceNormalization", inputs: [image(), positive(3), normal(3)], gradient: true },
  { op: "LayerNormalization", inputs: [normal(2, 3, 4), normal(4), normal(4)], gradient: true },
  {
    op: "LayerNormalization",
    inputs: [normal(2, 3, 4), normal(3, 4)],
    attributes: { axis: 1, epsilon: float(0.1) },
    gradient: true,
  },
  {
    op: "GroupNormalization",
    inputs: [normal(2, 4, 3, 3), normal(4), normal(4)],
    attributes: { num_groups: 2 },
    opset: 21,
    gradient: true,
  },
];

const coordinates = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"];
const resizes: Case[] = [
  ...coordinates.flatMap((mode): Case[] => [
    {
      op: "Resize",
      inputs: [image()],
      stored: { 3: ints(2, 3, 9, 4) },
      attributes: { mode: "linear", coordinate_transformation_mode: mode },
      opset: 19,
      gradient: true,
    },
    {
      op: "Resize",
      inputs: [image()],
      stored: { 2: tensor([1, 1, 1.7, 0.6]) },
      attributes: { mode: "cubic", coordinate_transformation_mode: mode },
      opset: 19,
      gradient: true,
      tolerance: { atol: 1e-5 },
    },
    ...["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"].map(
      (nearest): Case => ({
        op: "Resize",
        inputs: [image()],
        // 0.6 puts a pixel of the symmetric rule exactly between two, where the last bit of a float32 decides.
        stored: { 2: tensor([1, 1, 1.7, mode === "half_pixel_symmetric" ? 0.65 : 0.6]) },
        attributes: { mode: "nearest", coordinate_transformation_mode: mode, nearest_mode: nearest },
        opset: 19,
      }),
    ),
  ]),
  {
    op: "Resize",
    inputs: [image()],
    stored: { 2: tensor([1, 1, 2, 2]) },
    attributes: { mode: "linear" },
    gradient: true,
  },
  { op: "Resize", inputs: [image()], stored: { 2: tensor([1, 1, 2, 3]) }, gradient: true },
  {
    op: "Resize",
    inputs: [image()],
    stored: { 2: tensor([1, 1, 3, 3]) },
    attributes: { coordinate_transformation_mode: "asymmetric" },
  },
  {
    op: "Resize",
    inputs: [image()],
    stored: { 2: tensor([1, 1, 0.5, 0.5]) },
    attributes: { mode: "cubic", exclude_outside: 1, cubic_coeff_a: float(-0.5) },
  },
  { op: "Resize", inputs: [image()], stored: { 1: tensor([1, 1, 2, 2.5]) }, opset: 10 },
  { op: "Upsample", inputs: [image()], stored: { 1: tensor([1, 1, 2, 2]) }, opset: 9, gradient: true },
  {
    op: "Upsample",
    inputs: [image()],
    stored: { 1: tensor([1, 1, 2, 3]) },
    attributes: { mode: "linear" },
    opset: 9,
    gradient: true,
  },
];

const cases = [...elementwise, ...reductions, ...products, ...shapes, ...layers, ...resizes];
checkCases(cases);
