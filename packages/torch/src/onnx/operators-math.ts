import * as F from "../functional.ts";
import { cat, einsum, where } from "../functions.ts";
import { rawOperator } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { axisOf, type NodeContext, type OnnxOperator, type OperatorTable, obeying } from "./node-context.ts";
import { ELEMENT_TYPES } from "./tensor-proto.ts";

const unary =
  (of: (x: Tensor, context: NodeContext) => Tensor): OnnxOperator =>
  (context) =>
    of(context.input(0), context);

const binary =
  (of: (a: Tensor, b: Tensor) => Tensor): OnnxOperator =>
  (context) =>
    of(context.input(0), context.input(1));

const many =
  (of: (a: Tensor, b: Tensor) => Tensor): OnnxOperator =>
  (context) =>
    context.all().reduce(of);

const throughATen = (name: string) => {
  const operator = rawOperator(name);
  return (x: Tensor) => operator(x.handle);
};
const truncatingDiv = rawOperator("aten::div.Tensor_mode");
const isInteger = (x: Tensor) => !x.dtype.includes("float");

function clip(context: NodeContext): Tensor {
  const bound = (place: number, name: string) =>
    context.inputs[place]?.item() ?? (context.has(name) ? context.number(name, 0) : undefined);
  const [low, high] = [bound(1, "min"), bound(2, "max")];
  if (low === undefined && high === undefined) return context.input(0);
  return context.input(0).clamp(low, high);
}

function cast(context: NodeContext): Tensor {
  context.only("saturate", 1);
  const to = context.number("to", 0);
  const dtype = ELEMENT_TYPES[to];
  if (!dtype) throw new Error(`cannot cast to element type ${to}`);
  return context.input(0).to(dtype);
}

type Reduction = (x: Tensor, axes: number[], options: { keepdim: boolean }) => Tensor;

const reduce = (of: Reduction): OnnxOperator =>
  obeying("axes keepdims noop_with_empty_axes", (context) => {
    const x = context.input(0);
    const given = context.listOrInput("axes", 1) ?? [];
    if (given.length === 0 && context.flag("noop_with_empty_axes")) return x;
    const axes = given.length > 0 ? given : [...x.shape.keys()];
    return of(x, axes, { keepdim: context.flag("keepdims", true) }).to(x.dtype);
  });

function reduceProduct(x: Tensor, axes: number[], { keepdim }: { keepdim: boolean }): Tensor {
  const places = axes.map((axis) => axisOf(axis, x.ndim)).sort((a, b) => b - a);
  return places.reduce((y, axis) => y.prod(axis, { keepdim }), x);
}

const arg = (of: (x: Tensor, axis: number, options: { keepdim: boolean }) => Tensor): OnnxOperator =>
  obeying("axis keepdims select_last_index", (context) => {
    const x = context.input(0);
    const axis = axisOf(context.number("axis", 0), x.ndim);
    const keepdim = context.flag("keepdims", true);
    if (!context.flag("select_last_index")) return of(x, axis, { keepdim });
    return of(x.flip([axis]), axis, { keepdim })
      .neg()
      .add(x.shape[axis] - 1);
  });

/** Before version 13 all dimensions from the axis on are one. */
const softmax = (of: (x: Tensor, axis: number) => Tensor): OnnxOperator =>
  obeying("axis", (context) => {
    const x = context.input(0);
    if (context.opset >= 13) return of(x, context.number("axis", -1));
    const axis = axisOf(context.number("axis", 1), x.ndim);
    return of(x.flatten(axis), axis).reshape(x.shape);
  });

function cumulativeSum(context: NodeContext): Tensor {
  const x = context.input(0);
  const axis = axisOf((context.values(1) ?? [0])[0], x.ndim);
  const turn = (y: Tensor) => (context.flag("reverse") ? y.flip([axis]) : y);
  const sums = turn(x).cumsum(axis).to(x.dtype);
  if (!context.flag("exclusive")) return turn(sums);
  const first = sums.narrow(axis, 0, 1).mul(0);
  return turn(cat([first, sums.narrow(axis, 0, x.shape[axis] - 1)], axis));
}

/** Which infinities count is the node's choice. */
function isInfinite(context: NodeContext): Tensor {
  const x = context.input(0);
  const either = x.isinf();
  if (!context.flag("detect_negative", true)) return either.logicalAnd(x.gt(0));
  return context.flag("detect_positive", true) ? either : either.logicalAnd(x.lt(0));
}

/** A one at the first largest place along the axis, zeros elsewhere; before version 13 all from the axis on are one. */
const hardmax = (x: Tensor, axis: number): Tensor => {
  const place = x.argmax(axis, { keepdim: true });
  return x.mul(0).scatter(axis, place, 1);
};

const SELU = { scale: 1.0507009873554805, alpha: 1.6732632423543772 };

const activations: OperatorTable = {
  Relu: unary((x) => x.relu()),
  LeakyRelu: obeying(
    "alpha",
    unary((x, c) => F.leakyRelu(x, c.number("alpha", 0.01))),
  ),
  Elu: obeying(
    "alpha",
    unary((x, c) => F.elu(x, c.number("alpha", 1))),
  ),
  Celu: obeying("alpha", (c) => {
    const alpha = c.number("alpha", 1);
    return F.elu(c.input(0).div(alpha)).mul(alpha);
  }),
  Shrink: obeying("bias lambd", (c) => {
    const [x, bias, edge] = [c.input(0), c.number("bias", 0), c.number("lambd", 0.5)];
    const above = x.sub(bias).mul(x.gt(edge).to(x.dtype));
    return above.add(x.add(bias).mul(x.lt(-edge).to(x.dtype)));
  }),
  Hardmax: softmax(hardmax),
  Selu: obeying(
    "alpha gamma",
    unary((x, c) => F.elu(x, c.number("alpha", SELU.alpha)).mul(c.number("gamma", SELU.scale))),
  ),
  ThresholdedRelu: obeying(
    "alpha",
    unary((x, c) => x.mul(x.gt(c.number("alpha", 1)).to(x.dtype))),
  ),
  Sigmoid: unary((x) => x.sigmoid()),
  HardSigmoid: obeying(
    "alpha beta",
    unary((x, c) => x.mul(c.number("alpha", 0.2)).add(c.number("beta", 0.5)).clamp(0, 1)),
  ),
  HardSwish: unary((x) => F.hardswish(x)),
  Mish: unary((x) => x.mul(F.softplus(x).tanh())),
  Softplus: unary((x) => F.softplus(x)),
  Softsign: unary((x) => x.div(x.abs().add(1))),
  Tanh: unary((x) => x.tanh()),
  Gelu: obeying(
    "approximate",
    unary((x, c) => F.gelu(x, { approximate: c.text("approximate", "none") })),
  ),
  Softmax: softmax((x, axis) => x.softmax(axis)),
  LogSoftmax: softmax((x, axis) => x.logSoftmax(axis)),
};

const reductions: OperatorTable = {
  ReduceMean: reduce((x, axes, options) => x.mean(axes, options)),
  ReduceSum: reduce((x, axes, options) => x.sum(axes, options)),
  ReduceMax: reduce((x, axes, options) => x.amax(axes, options)),
  ReduceMin: reduce((x, axes, options) => x.amin(axes, options)),
  ReduceProd: reduce(reduceProduct),
  ReduceL1: reduce((x, axes, options) => x.abs().sum(axes, options)),
  ReduceL2: reduce((x, axes, options) => x.norm(axes, options)),
  ReduceSumSquare: reduce((x, axes, options) => x.square().sum(axes, options)),
  ReduceLogSum: reduce((x, axes, options) => x.sum(axes, options).log()),
  ReduceLogSumExp: reduce((x, axes, options) => x.logsumexp(axes, options)),
  ArgMax: arg((x, axis, options) => x.argmax(axis, options)),
  ArgMin: arg((x, axis, options) => x.argmin(axis, options)),
  CumSum: obeying("exclusive reverse", cumulativeSum),
};

/** Element-wise operators, activations and reductions. */
export const mathOperators: OperatorTable = {
  Add: binary((a, b) => a.add(b)),
  Sub: binary((a, b) => a.sub(b)),
  Mul: binary((a, b) => a.mul(b)),
  Div: binary((a, b) => (isInteger(a) ? truncatingDiv(a.handle, b.handle, "trunc") : a.div(b))),
  Mod: obeying("fmod", (c) => (c.flag("fmod") ? c.input(0).fmod(c.input(1)) : c.input(0).remainder(c.input(1)))),
  Pow: binary((a, b) => a.pow(b).to(a.dtype)),
  MatMul: binary((a, b) => a.matmul(b)),
  Einsum: obeying("equation", (c) => einsum(c.text("equation", ""), ...c.all())),
  Max: many((a, b) => a.maximum(b)),
  Min: many((a, b) => a.minimum(b)),
  Sum: many((a, b) => a.add(b)),
  Mean: (c) =>
    c
      .all()
      .reduce((a, b) => a.add(b))
      .div(c.inputs.length),
  Equal: binary((a, b) => a.eq(b)),
  Less: binary((a, b) => a.lt(b)),
  LessOrEqual: binary((a, b) => a.le(b)),
  Greater: binary((a, b) => a.gt(b)),
  GreaterOrEqual: binary((a, b) => a.ge(b)),
  And: binary((a, b) => a.logicalAnd(b)),
  Or: binary((a, b) => a.logicalOr(b)),
  Xor: binary((a, b) => a.logicalXor(b)),
  Not: unary((x) => x.logicalNot()),
  Where: (c) => where(c.input(0), c.input(1), c.input(2)),
  Abs: unary((x) => x.abs()),
  Neg: unary((x) => x.neg()),
  Sign: unary((x) => x.sign()),
  Sqrt: unary((x) => x.sqrt()),
  Exp: unary((x) => x.exp()),
  Log: unary((x) => x.log()),
  Erf: unary((x) => x.erf()),
  Asin: unary((x) => x.asin()),
  Acos: unary((x) => x.acos()),
  Sinh: unary(throughATen("aten::sinh")),
  Cosh: unary(throughATen("aten::cosh")),
  Asinh: unary(throughATen("aten::asinh")),
  Acosh: unary(throughATen("aten::acosh")),
  Atanh: unary(throughATen("aten::atanh")),
  Det: unary(throughATen("aten::det")),
  Sin: unary((x) => x.sin()),
  Cos: unary((x) => x.cos()),
  Tan: unary((x) => x.tan()),
  Atan: unary((x) => x.atan()),
  Floor: unary((x) => x.floor()),
  Ceil: unary((x) => x.ceil()),
  Round: unary((x) => x.round()),
  Reciprocal: unary((x) => x.reciprocal()),
  IsNaN: unary((x) => x.isnan()),
  IsInf: obeying("detect_negative detect_positive", isInfinite),
  Clip: obeying("min max", clip),
  Cast: obeying("to saturate round_mode", cast),
  CastLike: obeying("saturate round_mode", (c) => {
    c.only("saturate", 1);
    return c.input(0).to(c.input(1).dtype);
  }),
  ...activations,
  ...reductions,
};
