import { defaultDevice } from "./device.ts";
import { call, Operator, wrap } from "./dispatch.ts";
import {
  type DType,
  dtypeOfArray,
  elementSize,
  type HalfArray,
  numberShape,
  type TypedArray,
  viewBuffer,
} from "./dtype.ts";
import type { Generator } from "./generator.ts";
import { native } from "./native.ts";
import type { Tensor } from "./tensor.ts";

/** What every factory takes; without `device` a tensor lies on the default device. */
export interface TensorOptions {
  dtype?: DType;
  device?: string;
  requiresGrad?: boolean;
}
export interface RandomOptions extends TensorOptions {
  /** Where the numbers come from, whatever device they are for; when left out, that device's default generator. */
  generator?: Generator;
}

/** What {@link tensor} reads: numbers in arrays in arrays. */
export type Nested = number | bigint | boolean | readonly Nested[];

const ops = {
  zeros: new Operator("aten::zeros"),
  ones: new Operator("aten::ones"),
  empty: new Operator("aten::empty.memory_format"),
  full: new Operator("aten::full"),
  arange: new Operator("aten::arange.start_step"),
  linspace: new Operator("aten::linspace"),
  eye: new Operator("aten::eye.m"),
  rand: new Operator("aten::rand.generator"),
  randn: new Operator("aten::randn.generator"),
  randint: new Operator("aten::randint.low_generator"),
  randperm: new Operator("aten::randperm.generator"),
};

function make(
  operator: Operator,
  args: readonly unknown[],
  dtype: DType | undefined,
  { device, requiresGrad }: TensorOptions,
): Tensor {
  const tensor = wrap<Tensor>(call(operator.id, ...args, dtype, undefined, device ?? defaultDevice()));
  return requiresGrad ? tensor.requiresGrad_() : tensor;
}

/** All 0. */
export function zeros(shape: readonly number[], { dtype = "float32", ...options }: TensorOptions = {}): Tensor {
  return make(ops.zeros, [shape], dtype, options);
}
/** All 1. */
export function ones(shape: readonly number[], { dtype = "float32", ...options }: TensorOptions = {}): Tensor {
  return make(ops.ones, [shape], dtype, options);
}
/** Uninitialised memory. */
export function empty(shape: readonly number[], { dtype = "float32", ...options }: TensorOptions = {}): Tensor {
  return make(ops.empty, [shape], dtype, options);
}
/** All of one value. */
export function full(
  shape: readonly number[],
  value: number,
  { dtype = "float32", ...options }: TensorOptions = {},
): Tensor {
  return make(ops.full, [shape, value], dtype, options);
}

/** `arange(end)` or `arange(start, end, step)`: int64 when all three are integers, as in PyTorch, else float32. */
export function arange(end: number, options?: TensorOptions): Tensor;
export function arange(start: number, end: number, step?: number, options?: TensorOptions): Tensor;
export function arange(a: number, b?: number | TensorOptions, step = 1, options: TensorOptions = {}): Tensor {
  if (typeof b !== "number") return arange(0, a, 1, b);
  const dtype = options.dtype ?? ([a, b, step].every(Number.isInteger) ? "int64" : "float32");
  return make(ops.arange, [a, b, step], dtype, options);
}
/** `steps` numbers from `start` to `end`, both included. */
export function linspace(
  start: number,
  end: number,
  steps: number,
  { dtype = "float32", ...options }: TensorOptions = {},
): Tensor {
  return make(ops.linspace, [start, end, steps], dtype, options);
}
/** Identity matrix [n, m]; m is n unless given. */
export function eye(n: number, { m = n, dtype = "float32", ...options }: TensorOptions & { m?: number } = {}): Tensor {
  return make(ops.eye, [n, m], dtype, options);
}

/**
 * Random numbers come from where their generator lives, then move: the same key gives the same numbers on every device.
 */
function draw(
  operator: Operator,
  args: readonly unknown[],
  dtype: DType | undefined,
  { generator, device = defaultDevice(), requiresGrad, ...options }: RandomOptions,
): Tensor {
  const drawn = make(operator, [...args, generator?.native], dtype, {
    ...options,
    device: generator?.device ?? device,
  });
  const placed = drawn.device === device ? drawn : drawn.to(device);
  return requiresGrad ? placed.requiresGrad_() : placed;
}

/** Uniform in [0, 1). */
export function rand(shape: readonly number[], { dtype = "float32", ...options }: RandomOptions = {}): Tensor {
  return draw(ops.rand, [shape], dtype, options);
}
/** Normal, mean 0, standard deviation 1. */
export function randn(shape: readonly number[], { dtype = "float32", ...options }: RandomOptions = {}): Tensor {
  return draw(ops.randn, [shape], dtype, options);
}
/** Integers in [0, high) or [low, high). */
export function randint(high: number, shape: readonly number[], options?: RandomOptions): Tensor;
export function randint(low: number, high: number, shape: readonly number[], options?: RandomOptions): Tensor;
export function randint(
  a: number,
  b: number | readonly number[],
  c?: readonly number[] | RandomOptions,
  d?: RandomOptions,
): Tensor {
  const [low, high, shape, options] =
    typeof b === "number" ? [a, b, c as readonly number[], d ?? {}] : [0, a, b, (c as RandomOptions | undefined) ?? {}];
  const { dtype = "int64", ...rest } = options;
  return draw(ops.randint, [low, high, shape], dtype, rest);
}
/** A random order of 0 … n − 1. */
export function randperm(n: number, { dtype = "int64", ...options }: RandomOptions = {}): Tensor {
  return draw(ops.randperm, [n], dtype, options);
}

function product(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/**
 * A tensor of a typed array's elements. With `copy: false` the tensor lives in the array's own memory: writes are
 * seen by both sides, and the memory stays even when the array's buffer is transferred. Uint16Array needs a dtype: the bits of bfloat16 or float16.
 * @throws when the shape does not have exactly the array's number of elements, when the array's buffer is detached,
 * and with `copy: false` when it is resizable
 */
export function fromTypedArray(
  array: TypedArray | HalfArray,
  shape: readonly number[],
  {
    copy = true,
    dtype = dtypeOfArray(array),
    device = defaultDevice(),
    requiresGrad = false,
  }: TensorOptions & { copy?: boolean } = {},
): Tensor {
  const numbers = numberShape(dtype, shape);
  const name = array[Symbol.toStringTag];
  const fits = elementSize(dtype) === array.BYTES_PER_ELEMENT * (numbers.length > shape.length ? 2 : 1);
  if (!fits || (name === "Float16Array" && dtype !== "float16")) {
    throw new TypeError(`a ${name} cannot hold ${dtype}; make the tensor first and convert it with to("${dtype}")`);
  }
  if (product(numbers) !== array.length && !isDetached(array)) {
    throw new RangeError(`shape [${shape.join(", ")}] has ${product(numbers)} elements, the array has ${array.length}`);
  }
  const made = wrap<Tensor>(native.fromBuffer(array, shape, dtype, copy));
  if (!copy && array.buffer instanceof ArrayBuffer) refuseTransfer(array.buffer);
  const placed = device === "cpu" ? made : made.to(device);
  return requiresGrad ? placed.requiresGrad_() : placed;
}

/**
 * V8 before 13 (Node 21 to 23) moves a buffer's memory when it is transferred to another length, under the tensor that
 * lies on it. The addon locks the buffer there; its own methods say why before V8 runs into the lock.
 */
function refuseTransfer(buffer: ArrayBuffer): void {
  if (!("transfer" in buffer) || Number.parseInt(process.versions.v8, 10) >= 13) return;
  const value = () => {
    throw new TypeError("transfer(): a tensor made with copy: false lies on this ArrayBuffer; copy, or use Node 24");
  };
  for (const name of ["transfer", "transferToFixedLength"])
    Object.defineProperty(buffer, name, { value, configurable: true });
}

/** Whether the array's memory was transferred; the addon's error says so. */
function isDetached(array: TypedArray | HalfArray): boolean {
  if (array.length > 0) return false;
  try {
    new Uint8Array(array.buffer as ArrayBuffer);
    return false;
  } catch {
    return true; // a view of a detached buffer cannot be made
  }
}

function shapeOf(value: Nested): number[] {
  return Array.isArray(value) ? [value.length, ...(value.length > 0 ? shapeOf(value[0] as Nested) : [])] : [];
}

function flattenInto(value: Nested, shape: readonly number[], dim: number, out: (number | bigint | boolean)[]): void {
  if (!Array.isArray(value)) {
    if (dim !== shape.length) throw new RangeError(`tensor(): a number where an array of ${shape[dim]} was expected`);
    out.push(value as number | bigint | boolean);
    return;
  }
  if (dim === shape.length || value.length !== shape[dim]) {
    throw new RangeError(
      `tensor(): ragged input; an array of ${value.length} where the first of its level has ${shape[dim] ?? "no"} elements`,
    );
  }
  for (const item of value) flattenInto(item as Nested, shape, dim + 1, out);
}

/**
 * A tensor of nested numbers or of a typed array. Numbers become float32, bigints int64, booleans bool, unless
 * `dtype` says otherwise; a typed array keeps its own dtype. Always a copy.
 * @throws RangeError when the nesting is ragged
 */
export function tensor(
  data: Nested | TypedArray | HalfArray,
  { shape, dtype, device = defaultDevice(), requiresGrad = false }: TensorOptions & { shape?: readonly number[] } = {},
): Tensor {
  let made: Tensor;
  if (ArrayBuffer.isView(data)) {
    const array = data as TypedArray | HalfArray;
    const bits = array instanceof Uint16Array ? dtype : undefined;
    made = fromTypedArray(array, shape ?? [array.length], { dtype: bits, device: "cpu" });
  } else {
    const natural = shapeOf(data);
    const flat: (number | bigint | boolean)[] = [];
    flattenInto(data, natural, 0, flat);
    const kind = typeof flat[0];
    const own: DType =
      kind === "boolean"
        ? "bool"
        : kind === "bigint"
          ? "int64"
          : dtype === "float64" || dtype === "int64"
            ? "float64"
            : "float32";
    const array = viewBuffer(new ArrayBuffer(flat.length * elementSize(own)), own);
    if (array instanceof BigInt64Array || array instanceof BigUint64Array) array.set(flat.map(BigInt));
    else array.set(flat.map(Number));
    made = fromTypedArray(array, shape ?? natural, { dtype: own, device: "cpu" });
  }
  const placed =
    (dtype && dtype !== made.dtype) || device !== "cpu" ? made.to({ dtype: dtype ?? made.dtype, device }) : made;
  return requiresGrad ? placed.requiresGrad_() : placed;
}
