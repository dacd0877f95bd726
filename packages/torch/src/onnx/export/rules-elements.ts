import type { DType } from "../../dtype.ts";
import { elementCode } from "./builder.ts";
import type { Call, Rule, RuleTable } from "./rule.ts";

const unary =
  (op: string): Rule =>
  (c) =>
    c.b.node(op, [c.like(0)]);

/** Two operands in the result's dtype, the second a tensor or a number. */
const binary =
  (op: string): Rule =>
  (c) =>
    c.b.node(op, [c.like(0), c.operand(1, c.dtype)]);

/** `a ± alpha · b` */
const sum =
  (op: string): Rule =>
  (c) => {
    const other = c.operand(1, c.dtype);
    const alpha = c.number(2, 1);
    return c.b.node(op, [c.like(0), alpha === 1 ? other : c.b.node("Mul", [other, c.b.scalar(alpha, c.dtype)])]);
  };

const wider = (a: DType, b: DType): DType => {
  const order: DType[] = ["bool", "uint8", "int32", "int64", "float16", "float32", "float64"];
  return order[Math.max(order.indexOf(a), order.indexOf(b))] ?? a;
};

const comparison =
  (op: string, negated = false): Rule =>
  (c) => {
    const other = c.optional(1);
    const isTensor = typeof other === "object";
    const dtype = isTensor ? wider(c.value(0).dtype, other.dtype) : c.value(0).dtype;
    const name = c.b.node(op, [c.b.cast(c.value(0), dtype), c.operand(1, dtype)]);
    return negated ? c.b.node("Not", [name]) : name;
  };

const logical =
  (op: string): Rule =>
  (c) =>
    c.b.node(op, [c.b.cast(c.value(0), "bool"), c.b.cast(c.value(1), "bool")]);

function clamp(c: Call): string {
  const bounded = c.given(1) ? c.b.node("Max", [c.like(0), c.operand(1, c.dtype)]) : c.like(0);
  return c.given(2) ? c.b.node("Min", [bounded, c.operand(2, c.dtype)]) : bounded;
}

/** x Φ(x), by the error function or by the tanh formula. */
export function gelu(c: Call, x: string, approximate: string, dtype: DType = c.dtype): string {
  const { b } = c;
  const times = (name: string, factor: number) => b.node("Mul", [name, b.scalar(factor, dtype)]);
  const half = (inner: string) => b.node("Mul", [times(x, 0.5), b.node("Add", [inner, b.scalar(1, dtype)])]);
  if (approximate !== "tanh") return half(b.node("Erf", [times(x, Math.SQRT1_2)]));
  const cube = b.node("Mul", [b.node("Mul", [x, x]), x]);
  const inner = times(b.node("Add", [x, times(cube, 0.044715)]), Math.sqrt(2 / Math.PI));
  return half(b.node("Tanh", [inner]));
}

/** `self + value · (a ∘ b)` */
const addc =
  (op: string): Rule =>
  (c) => {
    const value = c.number(3, 1);
    const product = c.b.node(op, [c.like(1), c.like(2)]);
    return c.b.node("Add", [c.like(0), value === 1 ? product : c.b.node("Mul", [product, c.b.scalar(value, c.dtype)])]);
  };

function cast(c: Call): string {
  const wanted = c.dtype;
  return wanted === c.value(0).dtype
    ? c.value(0).name
    : c.b.node("Cast", [c.value(0).name], { to: elementCode(wanted) });
}

const same: Rule = (c) => c.value(0).name;

function lerp(c: Call): string {
  const [start, end] = [c.like(0), c.like(1)];
  return c.b.node("Add", [start, c.b.node("Mul", [c.b.node("Sub", [end, start]), c.operand(2, c.dtype)])]);
}

function maskedFill(c: Call): string {
  return c.b.node("Where", [c.value(1).name, c.operand(2, c.dtype), c.like(0)]);
}

/** Element by element. */
export const elementRules: RuleTable = {
  "aten::add.Tensor": sum("Add"),
  "aten::add.Scalar": sum("Add"),
  "aten::sub.Tensor": sum("Sub"),
  "aten::sub.Scalar": sum("Sub"),
  "aten::mul.Tensor": binary("Mul"),
  "aten::mul.Scalar": binary("Mul"),
  "aten::div.Tensor": binary("Div"),
  "aten::div.Scalar": binary("Div"),
  "aten::pow.Tensor_Tensor": binary("Pow"),
  "aten::pow.Tensor_Scalar": binary("Pow"),
  "aten::maximum": binary("Max"),
  "aten::minimum": binary("Min"),
  "aten::eq.Tensor": comparison("Equal"),
  "aten::eq.Scalar": comparison("Equal"),
  "aten::ne.Tensor": comparison("Equal", true),
  "aten::ne.Scalar": comparison("Equal", true),
  "aten::lt.Tensor": comparison("Less"),
  "aten::lt.Scalar": comparison("Less"),
  "aten::le.Tensor": comparison("LessOrEqual"),
  "aten::le.Scalar": comparison("LessOrEqual"),
  "aten::gt.Tensor": comparison("Greater"),
  "aten::gt.Scalar": comparison("Greater"),
  "aten::ge.Tensor": comparison("GreaterOrEqual"),
  "aten::ge.Scalar": comparison("GreaterOrEqual"),
  "aten::logical_and": logical("And"),
  "aten::logical_or": logical("Or"),
  "aten::logical_not": (c) => c.b.node("Not", [c.b.cast(c.value(0), "bool")]),
  "aten::where.self": (c) => c.b.node("Where", [c.value(0).name, c.like(1), c.like(2)]),
  "aten::masked_fill.Scalar": maskedFill,
  "aten::masked_fill.Tensor": maskedFill,
  "aten::addcmul": addc("Mul"),
  "aten::addcdiv": addc("Div"),
  "aten::lerp.Tensor": lerp,
  "aten::lerp.Scalar": lerp,
  "aten::clamp": clamp,
  "aten::clamp_min": clamp,
  "aten::clamp_max": (c) => c.b.node("Min", [c.like(0), c.operand(1, c.dtype)]),
  "aten::exp": unary("Exp"),
  "aten::log": unary("Log"),
  "aten::sqrt": unary("Sqrt"),
  "aten::rsqrt": (c) => c.b.node("Reciprocal", [c.b.node("Sqrt", [c.like(0)])]),
  "aten::reciprocal": unary("Reciprocal"),
  "aten::neg": unary("Neg"),
  "aten::abs": unary("Abs"),
  "aten::sign": unary("Sign"),
  "aten::sin": unary("Sin"),
  "aten::cos": unary("Cos"),
  "aten::tanh": unary("Tanh"),
  "aten::erf": unary("Erf"),
  "aten::floor": unary("Floor"),
  "aten::ceil": unary("Ceil"),
  "aten::round": unary("Round"),
  "aten::relu": unary("Relu"),
  "aten::sigmoid": unary("Sigmoid"),
  "aten::square": (c) => c.b.node("Mul", [c.like(0), c.like(0)]),
  "aten::silu": (c) => c.b.node("Mul", [c.like(0), c.b.node("Sigmoid", [c.like(0)])]),
  "aten::gelu": (c) => gelu(c, c.like(0), c.text(1, "none")),
  "aten::leaky_relu": (c) => c.b.node("LeakyRelu", [c.like(0)], { alpha: { float: c.number(1, 0.01) } }),
  "aten::to.dtype_layout": cast,
  "aten::contiguous": same,
  "aten::detach": same,
  "aten::alias": same,
  "aten::clone": same,
};
