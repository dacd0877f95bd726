import type { DType } from "../dtype.ts";
import { arange, full, tensor, zeros } from "../factories.ts";
import * as F from "../functional.ts";
import { cat, where } from "../functions.ts";
import type { Tensor } from "../tensor.ts";
import type { NodeContext, OnnxOperator } from "./node-context.ts";

/** TensorProto.DataType, where Cast may go. */
const CAST: Readonly<Record<number, DType>> = {
  1: "float32",
  2: "uint8",
  6: "int32",
  7: "int64",
  9: "bool",
  10: "float16",
  11: "float64",
};

const integers = (values: readonly number[]) => tensor([...values], { dtype: "int64" });
const place = (axis: number, ndim: number) => (axis < 0 ? axis + ndim : axis);

/** A model exported for one image holds that 1 in its shapes: any batch goes through by putting its own size there. */
function reshape(context: NodeContext): Tensor {
  const x = context.input(0);
  const wanted = context.integers(1) ?? context.list("shape", []);
  const shape = wanted.map((size, i) => (size === 0 && context.number("allowzero", 0) === 0 ? x.shape[i] : size));
  const known = shape.reduce((product, size) => (size < 0 ? product : product * size), 1);
  const fits = shape.includes(-1) ? x.numel % known === 0 : x.numel === known;
  const oneImage = shape[0] === 1 && x.shape[0] > 1;
  if (oneImage && (!fits || shape.includes(-1))) return x.reshape([x.shape[0], ...shape.slice(1)]);
  return x.reshape(shape);
}

function flatten(context: NodeContext): Tensor {
  const x = context.input(0);
  const axis = place(context.number("axis", 1), x.ndim);
  const rows = x.shape.slice(0, axis).reduce((product, size) => product * size, 1);
  return x.reshape([rows, -1]);
}

function slice(context: NodeContext): Tensor {
  let x = context.input(0);
  const starts = context.list("starts") ?? context.integers(1) ?? [];
  const ends = context.list("ends") ?? context.integers(2) ?? [];
  const axes = context.list("axes") ?? context.integers(3) ?? starts.map((_, i) => i);
  const steps = context.integers(4) ?? starts.map(() => 1);
  for (const [i, axis] of axes.entries()) {
    if (steps[i] < 1) throw new Error("steps below 1 are not supported");
    const size = x.shape[place(axis, x.ndim)];
    const end = Math.max(-size, Math.min(ends[i], size));
    x = x.slice(axis, Math.max(-size, Math.min(starts[i], size)), end, steps[i]);
  }
  return x;
}

function split(context: NodeContext): Tensor[] {
  const x = context.input(0);
  const axis = context.number("axis", 0);
  const sizes = context.list("split") ?? context.integers(1);
  return sizes ? x.splitSizes(sizes, axis) : x.chunk(context.node.outputs.length, axis);
}

function gather(context: NodeContext): Tensor {
  const x = context.input(0);
  const index = context.input(1).long();
  const axis = place(context.number("axis", 0), x.ndim);
  const flat = index.reshape([-1]);
  const positive = where(flat.lt(0), flat.add(x.shape[axis]), flat);
  const picked = x.indexSelect(axis, positive);
  return picked.reshape([...x.shape.slice(0, axis), ...index.shape, ...x.shape.slice(axis + 1)]);
}

function squeeze(context: NodeContext): Tensor {
  const x = context.input(0);
  const axes = (context.axes(1) ?? [...x.shape.keys()].filter((i) => x.shape[i] === 1)).map((axis) =>
    place(axis, x.ndim),
  );
  return x.reshape(x.shape.filter((_, i) => !axes.includes(i)));
}

function unsqueeze(context: NodeContext): Tensor {
  const x = context.input(0);
  const axes = context.axes(1) ?? [];
  const ndim = x.ndim + axes.length;
  return axes
    .map((axis) => place(axis, ndim))
    .sort((a, b) => a - b)
    .reduce((y, axis) => y.unsqueeze(axis), x);
}

function expand(context: NodeContext): Tensor {
  const x = context.input(0);
  const wanted = context.integers(1) ?? [];
  const ndim = Math.max(x.ndim, wanted.length);
  const right = (shape: readonly number[], i: number) => shape[i - (ndim - shape.length)] ?? 1;
  const shape = Array.from({ length: ndim }, (_, i) => Math.max(right(x.shape, i), right(wanted, i)));
  return x.expand(shape);
}

function pad(context: NodeContext): Tensor {
  const x = context.input(0);
  const pads = context.list("pads") ?? context.integers(1) ?? [];
  const value = context.optional(2)?.item() ?? context.number("value", 0);
  const mode = context.text("mode", "constant");
  const half = pads.length / 2;
  const reversed = Array.from({ length: half }, (_, i) => [pads[half - 1 - i], pads[pads.length - 1 - i]]).flat();
  while (reversed.length > 2 && reversed.slice(-2).every((size) => size === 0)) reversed.splice(-2);
  return F.pad(x, reversed, {
    mode: mode === "edge" ? "replicate" : mode,
    value: mode === "constant" ? value : undefined,
  });
}

function clip(context: NodeContext): Tensor {
  const bound = (at: number, name: string) =>
    context.optional(at)?.item() ?? (context.node.attributes.has(name) ? context.number(name, 0) : undefined);
  const [low, high] = [bound(1, "min"), bound(2, "max")];
  if (low === undefined && high === undefined) return context.input(0);
  return context.input(0).clamp(low ?? Number.NEGATIVE_INFINITY, high ?? Number.POSITIVE_INFINITY);
}

const reduce =
  (of: (x: Tensor, axes: number[], options: { keepdim: boolean }) => Tensor): OnnxOperator =>
  (context) => {
    const x = context.input(0);
    const axes = context.axes(1) ?? [...x.shape.keys()];
    return of(x, axes, { keepdim: context.number("keepdims", 1) === 1 });
  };

export const arrayOperators: Readonly<Record<string, OnnxOperator>> = {
  Add: (c) => c.input(0).add(c.input(1)),
  Sub: (c) => c.input(0).sub(c.input(1)),
  Mul: (c) => c.input(0).mul(c.input(1)),
  Div: (c) => (c.input(0).dtype.startsWith("int") ? c.input(0).floorDivide(c.input(1)) : c.input(0).div(c.input(1))),
  Pow: (c) => c.input(0).pow(c.input(1)),
  Sqrt: (c) => c.input(0).sqrt(),
  Exp: (c) => c.input(0).exp(),
  Log: (c) => c.input(0).log(),
  Abs: (c) => c.input(0).abs(),
  Neg: (c) => c.input(0).neg(),
  Erf: (c) => c.input(0).erf(),
  Sin: (c) => c.input(0).sin(),
  Cos: (c) => c.input(0).cos(),
  Floor: (c) => c.input(0).floor(),
  Ceil: (c) => c.input(0).ceil(),
  Reciprocal: (c) => c.input(0).reciprocal(),
  Max: (c) => c.inputs.slice(1).reduce<Tensor>((a, b) => a.maximum(b as Tensor), c.input(0)),
  Min: (c) => c.inputs.slice(1).reduce<Tensor>((a, b) => a.minimum(b as Tensor), c.input(0)),
  Sum: (c) => c.inputs.slice(1).reduce<Tensor>((a, b) => a.add(b as Tensor), c.input(0)),
  Equal: (c) => c.input(0).eq(c.input(1)),
  Less: (c) => c.input(0).lt(c.input(1)),
  Greater: (c) => c.input(0).gt(c.input(1)),
  Not: (c) => c.input(0).logicalNot(),
  Where: (c) => where(c.input(0), c.input(1), c.input(2)),
  Clip: clip,
  Reshape: reshape,
  Flatten: flatten,
  Transpose: (c) => c.input(0).permute(c.list("perm") ?? [...c.input(0).shape.keys()].reverse()),
  Concat: (c) => cat(c.inputs as Tensor[], c.number("axis", 0)),
  Slice: slice,
  Split: split,
  Gather: gather,
  Shape: (c) => integers(c.input(0).shape),
  Size: (c) => tensor(c.input(0).numel, { dtype: "int64" }),
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Expand: expand,
  Tile: (c) => c.input(0).repeat(c.integers(1) ?? []),
  Pad: pad,
  Range: (c) => arange(c.input(0).item(), c.input(1).item(), c.input(2).item(), { dtype: c.input(0).dtype }),
  Cast: (c) => {
    const dtype = CAST[c.number("to", 0)];
    if (!dtype) throw new Error(`cannot cast to element type ${c.number("to", 0)}`);
    return c.input(0).to(dtype);
  },
  Constant: (c) => {
    const value = c.tensor("value");
    if (value) return value;
    if (c.node.attributes.has("value_float")) return tensor(c.number("value_float", 0));
    if (c.node.attributes.has("value_int")) return tensor(c.number("value_int", 0), { dtype: "int64" });
    const ints = c.list("value_ints");
    if (ints) return integers(ints);
    throw new Error("this kind of constant is not supported");
  },
  ConstantOfShape: (c) => {
    const value = c.tensor("value");
    const shape = c.integers(0) ?? [];
    return value ? full(shape, value.item(), { dtype: value.dtype }) : zeros(shape);
  },
  Identity: (c) => c.input(0).viewAs(c.input(0)),
  Dropout: (c) => c.input(0).viewAs(c.input(0)),
  ReduceMean: reduce((x, axes, options) => x.mean(axes, options)),
  ReduceSum: reduce((x, axes, options) => x.sum(axes, options)),
  ReduceMax: reduce((x, axes, options) => x.amax(axes, options)),
  ReduceMin: reduce((x, axes, options) => x.amin(axes, options)),
  ReduceL2: reduce((x, axes, options) => x.square().sum(axes, options).sqrt()),
};
