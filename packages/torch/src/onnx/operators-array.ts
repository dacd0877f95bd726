import { isFloatingPoint } from "../dtype.ts";
import { arange, full, tensor, zeros } from "../factories.ts";
import * as F from "../functional.ts";
import { cat, where } from "../functions.ts";
import { type OperatorArgument, op } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { axisOf, type NodeContext, type OperatorTable, obeying } from "./node-context.ts";

/** Sizes and constants are read by operators: they stay on the CPU, and follow what they are combined with. */
const CPU = { device: "cpu" } as const;
const integers = (values: number | readonly number[]) => tensor(values, { dtype: "int64", ...CPU });
const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);

/** A model exported for one image holds that 1 in its shapes: any batch goes through by putting its own size there. */
function reshape(context: NodeContext): Tensor {
  const x = context.input(0);
  const wanted = context.listOrInput("shape", 1) ?? [];
  const keepsZero = context.flag("allowzero");
  const shape = wanted.map((size, i) => (size === 0 && !keepsZero ? x.shape[i] : size));
  const ofBatch = context.batch !== undefined && x.shape[0] === context.batch && shape[0] === 1;
  const exact = !shape.includes(-1) && product(shape) === x.numel;
  return x.reshape(ofBatch && !exact ? [x.shape[0], ...shape.slice(1)] : shape);
}

/** Tokens that every image gets, such as a class token, come once in a model exported for one image. */
function concat(context: NodeContext): Tensor {
  const axis = context.number("axis", 0);
  const inputs = context.all();
  const { batch } = context;
  if (batch === undefined || axisOf(axis, inputs[0].ndim) === 0) return cat(inputs, axis);
  const fits = inputs.map((x) => (x.shape[0] === 1 ? x.expand([batch, ...x.shape.slice(1)]) : x));
  return cat(inputs.some((x) => x.shape[0] === batch) ? fits : inputs, axis);
}

function flatten(context: NodeContext): Tensor {
  const x = context.input(0);
  const axis = axisOf(context.number("axis", 1), x.ndim);
  return x.reshape([product(x.shape.slice(0, axis)), product(x.shape.slice(axis))]);
}

function slice(context: NodeContext): Tensor {
  const x = context.input(0);
  const starts = context.listOrInput("starts", 1) ?? [];
  const ends = context.listOrInput("ends", 2) ?? [];
  const axes = context.listOrInput("axes", 3) ?? [...starts.keys()];
  const steps = context.values(4) ?? starts.map(() => 1);
  return axes.reduce((y, axis, i) => sliceAxis(y, axisOf(axis, y.ndim), starts[i], ends[i], steps[i]), x);
}

/** ATen counts upwards only: a negative step takes the same places upwards and turns them round. */
function sliceAxis(x: Tensor, axis: number, from: number, to: number, step: number): Tensor {
  const size = x.shape[axis];
  const within = (at: number, low: number, high: number) => Math.max(low, Math.min(high, at < 0 ? at + size : at));
  if (step > 0) {
    const start = within(from, 0, size);
    return x.slice(axis, start, Math.max(start, within(to, 0, size)), step);
  }
  const first = within(from, -1, size - 1);
  const count = Math.max(0, Math.ceil((first - within(to, -1, size - 1)) / -step));
  if (count === 0) return x.slice(axis, 0, 0);
  return x.slice(axis, first + (count - 1) * step, first + 1, -step).flip([axis]);
}

function split(context: NodeContext): Tensor[] {
  const x = context.input(0);
  const axis = axisOf(context.number("axis", 0), x.ndim);
  const sizes = context.listOrInput("split", 1);
  if (sizes) return x.splitSizes(sizes, axis);
  return x.split(Math.ceil(x.shape[axis] / context.node.outputs.length), axis);
}

function gather(context: NodeContext): Tensor {
  const x = context.input(0);
  const index = context.input(1).long();
  const axis = axisOf(context.number("axis", 0), x.ndim);
  const picked = x.indexSelect(axis, fromEnd(index.reshape([-1]), x.shape[axis]));
  return picked.reshape([...x.shape.slice(0, axis), ...index.shape, ...x.shape.slice(axis + 1)]);
}

function gatherElements(context: NodeContext): Tensor {
  const x = context.input(0);
  const axis = axisOf(context.number("axis", 0), x.ndim);
  return x.gather(axis, fromEnd(context.input(1).long(), x.shape[axis]));
}

const fromEnd = (index: Tensor, size: number) => where(index.lt(0), index.add(size), index);

function squeeze(context: NodeContext): Tensor {
  const x = context.input(0);
  const axes = context.listOrInput("axes", 1) ?? [...x.shape.keys()].filter((i) => x.shape[i] === 1);
  const places = axes.map((axis) => axisOf(axis, x.ndim));
  return x.reshape(x.shape.filter((_, i) => !places.includes(i)));
}

function unsqueeze(context: NodeContext): Tensor {
  const x = context.input(0);
  const axes = context.listOrInput("axes", 1) ?? [];
  const places = axes.map((axis) => axisOf(axis, x.ndim + axes.length)).sort((a, b) => a - b);
  return places.reduce((y, axis) => y.unsqueeze(axis), x);
}

function expand(context: NodeContext): Tensor {
  const x = context.input(0);
  const wanted = context.values(1) ?? [];
  const ndim = Math.max(x.ndim, wanted.length);
  const right = (shape: readonly number[], i: number) => shape[i - (ndim - shape.length)] ?? 1;
  return x.expand(
    Array.from({ length: ndim }, (_, i) => (right(wanted, i) === 1 ? right(x.shape, i) : right(wanted, i))),
  );
}

/** ONNX: all begins, then all ends, first axis first. ATen: begin and end together, last axis first. */
function pad(context: NodeContext): Tensor {
  const x = context.input(0);
  const pads = context.listOrInput("pads", 1) ?? context.list("paddings", []);
  const axes = context.values(3)?.map((axis) => axisOf(axis, x.ndim)) ?? [...x.shape.keys()];
  const pairs = new Map(axes.map((axis, i) => [axis, [pads[i], pads[i + axes.length]]]));
  const reversed = [...x.shape.keys()].reverse().flatMap((axis) => pairs.get(axis) ?? [0, 0]);
  while (reversed.length > 2 && reversed.at(-1) === 0 && reversed.at(-2) === 0) reversed.splice(-2);
  const mode = context.text("mode", "constant");
  if (mode === "wrap") throw new Error("mode wrap is not supported");
  if (mode === "constant")
    return F.pad(x, reversed, { value: context.inputs[2]?.item() ?? context.number("value", 0) });
  return padByBorder(x, reversed, mode === "edge" ? "replicate" : mode);
}

/** ATen takes other modes only with one or two dimensions before the padded ones. */
function padByBorder(x: Tensor, pads: readonly number[], mode: string): Tensor {
  const padded = pads.length / 2;
  const before = x.shape.slice(0, x.ndim - padded);
  const plane = x.reshape([1, product(before), ...x.shape.slice(x.ndim - padded)]);
  // ATen's kernels know floats alone.
  const result = F.pad(isFloatingPoint(x.dtype) ? plane : plane.double(), [...pads], { mode }).to(x.dtype);
  return result.reshape([...before, ...result.shape.slice(2)]);
}

function constant(context: NodeContext): Tensor {
  const value = context.tensor("value");
  if (value) return value;
  if (context.has("value_float")) return tensor(context.number("value_float", 0), CPU);
  if (context.has("value_int")) return integers(context.number("value_int", 0));
  const floats = context.list("value_floats");
  if (floats) return tensor(floats, CPU);
  const ints = context.list("value_ints");
  if (ints) return integers(ints);
  throw new Error("this kind of constant is not supported");
}

function constantOfShape(context: NodeContext): Tensor {
  const shape = context.values(0) ?? [];
  const value = context.tensor("value");
  return value ? full(shape, value.item(), { dtype: value.dtype, ...CPU }) : zeros(shape, CPU);
}

function shapeOf(context: NodeContext): Tensor {
  const { shape } = context.input(0);
  return integers(shape.slice(context.number("start", 0), context.has("end") ? context.number("end", 0) : undefined));
}

const stableSort = (...args: OperatorArgument[]) => op("aten::sort.stable")(...args);

/** Of equals the one that comes first is taken first, as the standard says and ATen's topk does not. */
function topK(context: NodeContext): Tensor[] {
  const k = context.has("k") ? context.number("k", 1) : (context.values(1) ?? [1])[0];
  const axis = context.number("axis", -1);
  const sorted = stableSort(context.input(0), true, axis, context.flag("largest", true)) as [Tensor, Tensor];
  return sorted.map((result) => result.narrow(axis, 0, k));
}

function trilu(context: NodeContext): Tensor {
  const [k] = context.values(1) ?? [0];
  return context.flag("upper", true) ? context.input(0).triu(k) : context.input(0).tril(k);
}

/** `[B, s·s·C, H, W] → [B, C, s·H, s·W]`. */
function depthToSpace(context: NodeContext): Tensor {
  const x = context.input(0);
  const size = context.number("blocksize", 1);
  if (context.text("mode", "DCR") === "CRD") return F.pixelShuffle(x, size);
  const [batch, channels, height, width] = x.shape;
  return x
    .reshape([batch, size, size, channels / size ** 2, height, width])
    .permute([0, 3, 4, 1, 5, 2])
    .reshape([batch, channels / size ** 2, height * size, width * size]);
}

/** `[B, C, s·H, s·W] → [B, s·s·C, H, W]`. */
function spaceToDepth(context: NodeContext): Tensor {
  const x = context.input(0);
  const size = context.number("blocksize", 1);
  const [batch, channels, height, width] = x.shape;
  return x
    .reshape([batch, channels, height / size, size, width / size, size])
    .permute([0, 3, 5, 1, 2, 4])
    .reshape([batch, channels * size ** 2, height / size, width / size]);
}

/** At inference it passes on what it gets. */
function dropout(context: NodeContext): Tensor[] {
  if (context.inputs[2]?.item()) throw new Error("it was exported in training mode; export the model in eval mode");
  const x = context.input(0);
  const kept = full(x.shape, 1, { dtype: context.opset < 10 ? x.dtype : "bool", device: x.device });
  return [x, kept];
}

/** Operators on shapes and places. */
export const arrayOperators: OperatorTable = {
  Reshape: obeying("shape allowzero", reshape),
  Flatten: obeying("axis", flatten),
  Transpose: obeying("perm", (c) => c.input(0).permute(c.list("perm") ?? [...c.input(0).shape.keys()].reverse())),
  Concat: obeying("axis", concat),
  Slice: obeying("starts ends axes", slice),
  Split: obeying("axis split num_outputs", split),
  Gather: obeying("axis", gather),
  GatherElements: obeying("axis", gatherElements),
  Squeeze: obeying("axes", squeeze),
  Unsqueeze: obeying("axes", unsqueeze),
  Expand: expand,
  Tile: (c) => c.input(0).repeat(c.values(1) ?? []),
  Pad: obeying("mode pads paddings value", pad),
  DepthToSpace: obeying("blocksize mode", depthToSpace),
  SpaceToDepth: obeying("blocksize", spaceToDepth),
  TopK: obeying("axis k largest sorted", topK),
  Trilu: obeying("upper", trilu),
  Shape: obeying("start end", shapeOf),
  Size: (c) => integers(c.input(0).numel),
  Constant: obeying("value value_float value_floats value_int value_ints", constant),
  ConstantOfShape: obeying("value", constantOfShape),
  Range: (c) => arange(c.input(0).item(), c.input(1).item(), c.input(2).item(), { dtype: c.input(0).dtype, ...CPU }),
  Identity: (c) => c.input(0),
  Dropout: obeying("ratio seed is_test", dropout),
};
