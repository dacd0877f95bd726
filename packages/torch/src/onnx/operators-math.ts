import * as F from "../functional.ts";
import { einsum, where } from "../functions.ts";
import { rawOperator } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { axisOf, type NodeContext, type OnnxOperator, type OperatorTable } from "./node-context.ts";
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
  const to = context.number("to", 0);
  const dtype = ELEMENT_TYPES[to];
  if (!dtype) throw new Error(`cannot cast to element type ${to}`);
  return context.input(0).to(dtype);
}

type Reduction = (x: Tensor, axes: number[], options: { keepdim: boolean }) => Tensor;

const reduce =
  (of: Reduction): OnnxOperator =>
  (context) => {
    const x = context.input(0);
    const given = context.listOrInput("axes", 1) ?? [];
    if (given.length === 0 && context.flag("noop_with_empty_axes")) return x;
    const axes = given.length > 0 ? given : [...x.shape.keys()];
    return of(x, axes, { keepdim: context.flag("keepdims", true) });
  };

function reduceProduct(x: Tensor, axes: number[], { keepdim }: { keepdim: boolean }): Tensor {
  const places = axes.map((axis) => axisOf(axis, x.ndim)).sort((a, b) => b - a);
  return places.reduce((y, axis) => y.prod(axis, { keepdim }), x);
}

const arg =
  (of: (x: Tensor, axis: number, options: { keepdim: boolean }) => Tensor): OnnxOperator =>
  (context) => {
    if (context.flag("select_last_index")) throw new Error("select_last_index is not supported");
    return of(context.input(0), context.number("axis", 0), { keepdim: context.flag("keepdims", true) });
  };

/** Before version 13 all dimensions from the axis on are one. */
const softmax =
  (of: (x: Tensor, axis: number) => Tensor): OnnxOperator =>
  (context) => {
    const x = context.input(0);
    if (context.opset >= 13) return of(x, context.number("axis", -1));
    const axis = axisOf(context.number("axis", 1), x.ndim);
    return of(x.flatten(axis), axis).reshape(x.shape);
  };

function cumulativeSum(context: NodeContext): Tensor {
  if (context.flag("exclusive") || context.flag("reverse"))
    throw new Error("exclusive and reverse sums are not supported");
  return context.input(0).cumsum((context.values(1) ?? [0])[0]);
}

const SELU = { scale: 1.0507009873554805, alpha: 1.6732632423543772 };

const activations: OperatorTable = {
  Relu: unary((x) => x.relu()),
  LeakyRelu: unary((x, c) => F.leakyRelu(x, c.number("alpha", 0.01))),
  Elu: unary((x, c) => F.elu(x, c.number("alpha", 1))),
  Celu: unary((x, c) => {
    const alpha = c.number("alpha", 1);
    return F.elu(x.div(alpha)).mul(alpha);
  }),
  Selu: unary((x, c) => F.elu(x, c.number("alpha", SELU.alpha)).mul(c.number("gamma", SELU.scale))),
  ThresholdedRelu: unary((x, c) => x.mul(x.gt(c.number("alpha", 1)).to(x.dtype))),
  Sigmoid: unary((x) => x.sigmoid()),
  HardSigmoid: unary((x, c) => x.mul(c.number("alpha", 0.2)).add(c.number("beta", 0.5)).clamp(0, 1)),
  HardSwish: unary((x) => F.hardswish(x)),
  Mish: unary((x) => x.mul(F.softplus(x).tanh())),
  Softplus: unary((x) => F.softplus(x)),
  Softsign: unary((x) => x.div(x.abs().add(1))),
  Tanh: unary((x) => x.tanh()),
  Gelu: unary((x, c) => F.gelu(x, { approximate: c.text("approximate", "none") })),
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
  CumSum: cumulativeSum,
};

/** Element-wise operators, activations and reductions. */
export const mathOperators: OperatorTable = {
  Add: binary((a, b) => a.add(b)),
  Sub: binary((a, b) => a.sub(b)),
  Mul: binary((a, b) => a.mul(b)),
  Div: binary((a, b) => (isInteger(a) ? truncatingDiv(a.handle, b.handle, "trunc") : a.div(b))),
  Mod: (c) => (c.flag("fmod") ? c.input(0).fmod(c.input(1)) : c.input(0).remainder(c.input(1))),
  Pow: binary((a, b) => a.pow(b).to(a.dtype)),
  MatMul: binary((a, b) => a.matmul(b)),
  Einsum: (c) => einsum(c.text("equation", ""), ...c.all()),
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
  Sin: unary((x) => x.sin()),
  Cos: unary((x) => x.cos()),
  Tan: unary((x) => x.tan()),
  Atan: unary((x) => x.atan()),
  Floor: unary((x) => x.floor()),
  Ceil: unary((x) => x.ceil()),
  Round: unary((x) => x.round()),
  Reciprocal: unary((x) => x.reciprocal()),
  IsNaN: unary((x) => x.isnan()),
  IsInf: unary((x) => x.isinf()),
  Clip: clip,
  Cast: cast,
  ...activations,
  ...reductions,
};
