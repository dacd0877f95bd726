import { type Call, type Rule, type RuleTable, shapedAs, sliced } from "./rule.ts";
import { combine, isPlain, type Size } from "./sizes.ts";

/** Whatever gives the same elements in another shape. */
const reshaped: Rule = (c) => shapedAs(c.b, c.value(0).name, c.shape);

function permuted(c: Call, order: readonly number[]): string {
  const ndim = c.value(0).shape.length;
  return c.b.node("Transpose", [c.value(0).name], { perm: order.map((axis) => (axis < 0 ? axis + ndim : axis)) });
}

function transpose(c: Call): string {
  const ndim = c.value(0).shape.length;
  const [a, b] = [c.axis(1, ndim), c.axis(2, ndim)];
  return permuted(
    c,
    Array.from({ length: ndim }, (_, i) => (i === a ? b : i === b ? a : i)),
  );
}

/** From the start, where it counts from the end; sizes that vary are from the start already. */
const fromStart = (at: Size, length: Size): Size => combine(at, length, (x, size) => (x < 0 ? x + size : x));

function narrow(c: Call): string {
  const { shape, name } = c.value(0);
  const axis = c.axis(1, shape.length);
  const start = fromStart(c.size(2), shape[axis]);
  return sliced(c.b, name, axis, [start, combine(start, c.size(3), (x, y) => x + y)]);
}

function slice(c: Call): string {
  const { shape, name } = c.value(0);
  const axis = c.axis(1, shape.length);
  const bound = (at: Size) => combine(fromStart(at, shape[axis]), shape[axis], (x, size) => Math.min(x, size));
  const start = c.given(2) ? bound(c.size(2)) : 0;
  return sliced(c.b, name, axis, [start, c.given(3) ? bound(c.size(3)) : shape[axis], c.number(4, 1)]);
}

function select(c: Call): string {
  const { shape, name } = c.value(0);
  const axis = c.axis(1, shape.length);
  const start = fromStart(c.size(2), shape[axis]);
  return shapedAs(c.b, sliced(c.b, name, axis, [start, combine(start, 1, (x, y) => x + y)]), c.shape);
}

/** Parts of a dimension, as many as there were. */
const split =
  (axisAt: number): Rule =>
  (c) => {
    const { shape, name } = c.value(0);
    const axis = c.axis(axisAt, shape.length);
    const sizes = c.b.sizes(c.results.map((result) => result.shape[axis]));
    return c.b.nodeOf("Split", [name, sizes], c.results.length, { axis });
  };

function unbind(c: Call): string[] {
  const { shape, name } = c.value(0);
  const axis = c.axis(1, shape.length);
  return c.results.map((result, i) => shapedAs(c.b, sliced(c.b, name, axis, [i, i + 1]), result.shape));
}

const joined = (c: Call, names: readonly string[], axis: number) => c.b.node("Concat", names, { axis });

function cat(c: Call): string {
  // An empty list of one dimension joins anything.
  const parts = c.values(0).filter(({ shape }) => shape.length > 1 || c.shape.length === 1);
  return joined(
    c,
    parts.map((part) => c.b.cast(part, c.dtype)),
    c.axis(1, c.shape.length),
  );
}

function stack(c: Call): string {
  const axis = c.axis(1, c.shape.length);
  const one = c.shape.map((size, i) => (i === axis ? 1 : size));
  return joined(
    c,
    c.values(0).map((part) => shapedAs(c.b, c.b.cast(part, c.dtype), one)),
    axis,
  );
}

const expand: Rule = (c) => c.b.node("Expand", [c.value(0).name, c.b.sizes(c.shape)]);

function repeat(c: Call): string {
  const { name, shape } = c.value(0);
  const missing = c.shape.length - shape.length;
  const wide = [...Array<Size>(missing).fill(1), ...shape];
  const source = missing > 0 ? shapedAs(c.b, name, wide) : name;
  return c.b.node("Tile", [source, c.b.sizes(c.shape.map((size, i) => combine(size, wide[i], (x, y) => x / y)))]);
}

/** Backwards along some dimensions. */
function flip(c: Call): string {
  const { name, shape } = c.value(0);
  const axes = c.numbers(1).map((axis) => (axis < 0 ? axis + shape.length : axis));
  const all = (value: number) => c.b.ints(axes.map(() => value));
  return c.b.node("Slice", [name, all(-1), all(-(2 ** 31)), c.b.ints(axes), all(-1)]);
}

function filled(c: Call, value: number): string {
  return c.b.node("Expand", [c.b.scalar(value, c.dtype), c.b.sizes(c.shape)]);
}

function arange(c: Call): string {
  const [start, end, step] = [c.size(0), c.size(1), c.number(2, 1)];
  const asTensor = (size: Size) =>
    isPlain(size)
      ? c.b.scalar(size, c.dtype)
      : shapedAs(c.b, c.b.cast({ name: c.b.sizes([size]), dtype: "int64", shape: [1] }, c.dtype), []);
  return c.b.node("Range", [asTensor(start), asTensor(end), c.b.scalar(step, c.dtype)]);
}

function pixelUnshuffle(c: Call): string {
  const { shape, name } = c.value(0);
  const r = c.number(1);
  const [batch, channels, height, width] = shape;
  const part = (size: Size) => combine(size, r, (x, y) => x / y);
  const apart = shapedAs(c.b, name, [batch, channels, part(height), r, part(width), r]);
  return shapedAs(c.b, c.b.node("Transpose", [apart], { perm: [0, 1, 3, 5, 2, 4] }), c.shape);
}

/** Above (`upper`) or below a diagonal. */
const triangle =
  (upper: number): Rule =>
  (c) =>
    c.b.node("Trilu", [c.value(0).name, c.b.scalar(c.number(1, 0), "int64")], { upper });

/** The place of the largest or smallest along a dimension. */
const place =
  (op: string): Rule =>
  (c) => {
    const { shape, name } = c.value(0);
    if (c.given(1)) return c.b.node(op, [name], { axis: c.axis(1, shape.length), keepdims: c.flag(2) ? 1 : 0 });
    return shapedAs(c.b, c.b.node(op, [c.b.node("Reshape", [name, c.b.ints([-1])])], { axis: 0, keepdims: 0 }), []);
  };

function indexSelect(c: Call): string {
  return c.b.node("Gather", [c.value(0).name, c.value(2).name], { axis: c.axis(1, c.value(0).shape.length) });
}

/** Of other shapes, and of other places. */
export const shapeRules: RuleTable = {
  ...Object.fromEntries(
    [
      "view",
      "reshape",
      "flatten.using_ints",
      "unflatten.int",
      "squeeze",
      "squeeze.dim",
      "unsqueeze",
      "view_as",
      "reshape_as",
    ].map((name) => [`aten::${name}`, reshaped]),
  ),
  "aten::permute": (c) => permuted(c, c.numbers(1)),
  "aten::transpose.int": transpose,
  "aten::t": (c) => permuted(c, [1, 0].slice(2 - c.value(0).shape.length)),
  "aten::narrow": narrow,
  "aten::slice.Tensor": slice,
  "aten::select.int": select,
  "aten::chunk": split(2),
  "aten::split.Tensor": split(2),
  "aten::split_with_sizes": split(2),
  "aten::unbind.int": unbind,
  "aten::cat": cat,
  "aten::stack": stack,
  "aten::expand": expand,
  "aten::expand_as": expand,
  "aten::repeat": repeat,
  "aten::flip": flip,
  "aten::zeros": (c) => filled(c, 0),
  "aten::ones": (c) => filled(c, 1),
  "aten::full": (c) => filled(c, c.number(1)),
  "aten::zeros_like": (c) => filled(c, 0),
  "aten::ones_like": (c) => filled(c, 1),
  "aten::arange.start_step": arange,
  "aten::pixel_shuffle": (c) => c.b.node("DepthToSpace", [c.value(0).name], { blocksize: c.number(1), mode: "CRD" }),
  "aten::pixel_unshuffle": pixelUnshuffle,
  "aten::triu": triangle(1),
  "aten::tril": triangle(0),
  "aten::argmax": place("ArgMax"),
  "aten::argmin": place("ArgMin"),
  "aten::cumsum": (c) => c.b.node("CumSum", [c.like(0), c.b.scalar(c.axis(1, c.shape.length), "int64")]),
  "aten::index_select": indexSelect,
  "aten::gather": (c) =>
    c.b.node("GatherElements", [c.value(0).name, c.value(2).name], { axis: c.axis(1, c.value(0).shape.length) }),
  "aten::scatter.src": (c) =>
    c.b.node("ScatterElements", [c.value(0).name, c.value(2).name, c.value(3).name], {
      axis: c.axis(1, c.value(0).shape.length),
    }),
  "aten::embedding": (c) => c.b.node("Gather", [c.value(0).name, c.value(1).name], { axis: 0 }),
};
