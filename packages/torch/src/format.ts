import { isFloatingPoint, numberShape, type TypedArray } from "./dtype.ts";
import type { NestedNumbers, Printable } from "./tensor-types.ts";

const EDGE = 3; // elements shown at each end of a long dimension, as PyTorch does
const MANY = 1000; // elements from which a tensor is summarised

/** Row-major elements as nested arrays. */
export function nest(data: TypedArray, shape: readonly number[]): NestedNumbers {
  let next = 0;
  const level = (dim: number): NestedNumbers =>
    dim === shape.length ? Number(data[next++]) : Array.from({ length: shape[dim] }, () => level(dim + 1));
  return level(0);
}

/** One way to write every shown number of a tensor, so that columns line up. */
function numberFormat(values: number[], floating: boolean): (value: number) => string {
  const special = (v: number) => (Number.isNaN(v) ? "nan" : v > 0 ? "inf" : "-inf");
  const finite = values.filter(Number.isFinite);
  const largest = Math.max(0, ...finite.map(Math.abs));
  const smallest = Math.min(Number.POSITIVE_INFINITY, ...finite.map(Math.abs).filter((v) => v > 0));
  const write = !floating
    ? (v: number) => String(v)
    : largest >= 1e8 || smallest < 1e-4
      ? (v: number) => v.toExponential(4)
      : (v: number) => v.toFixed(4);
  const text = (v: number) => (Number.isFinite(v) ? write(v) : special(v));
  const width = Math.max(0, ...values.map((v) => text(v).length));
  return (v) => text(v).padStart(width);
}

/** The positions shown along a dimension; null stands for "…". */
function shownPositions(size: number, summarise: boolean): (number | null)[] {
  const all = Array.from({ length: size }, (_, i) => i);
  return summarise && size > 2 * EDGE ? [...all.slice(0, EDGE), null, ...all.slice(-EDGE)] : all;
}

/** What `console.log(tensor)` shows: values as PyTorch lays them out, then shape, dtype and what is not the default. */
export function formatTensor(tensor: Printable): string {
  const { dtype, device, requiresGrad } = tensor;
  const notes = [`shape [${tensor.shape.join(", ")}]`, dtype];
  if (device !== "cpu") notes.push(device);
  if (requiresGrad) notes.push("requires grad");
  if (device === "meta") return `Tensor(…, ${notes.join(", ")})`; // has no values
  const shape = numberShape(dtype, tensor.shape);
  const summarise = tensor.numel > MANY;
  const data = tensor.toTypedArray();
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
  const positions = shape.map((size) => shownPositions(size, summarise));
  const shown: number[] = [];
  const visit = (dim: number, offset: number): void => {
    if (dim === shape.length) shown.push(Number(data[offset]));
    else for (const i of positions[dim]) if (i !== null) visit(dim + 1, offset + i * strides[dim]);
  };
  if (tensor.numel > 0) visit(0, 0);
  const write =
    dtype === "bool"
      ? (v: number) => (v ? " true" : "false")
      : numberFormat(shown, isFloatingPoint(dtype) || dtype === "complex64");
  const level = (dim: number, offset: number): string => {
    if (dim === shape.length) return write(Number(data[offset]));
    const last = dim === shape.length - 1;
    const parts = positions[dim].map((i) => (i === null ? "…" : level(dim + 1, offset + i * strides[dim])));
    const separator = last ? ", " : `,${"\n".repeat(shape.length - dim - 1)}${" ".repeat(8 + dim)}`;
    return `[${parts.join(separator)}]`;
  };
  const body = tensor.numel === 0 ? "[]" : level(0, 0);
  return `Tensor(${body}, ${notes.join(", ")})`;
}
