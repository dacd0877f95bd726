import { inspect } from "node:util";
import { call, Operator, registerTensorClass, wrap, wrapOptional } from "./dispatch.ts";
import { type DType, isDType, isNarrowFloat, numberShape, type TypedArray, viewBuffer } from "./dtype.ts";
import { formatTensor, nest } from "./format.ts";
import { TensorMethods } from "./generated/tensor-methods.generated.ts";
import { type Handle, type NativeInfo, native } from "./native.ts";
import { type IndexOf, indexTensor } from "./tensor-index.ts";
import type { NestedNumbers } from "./tensor-types.ts";

const toOp = new Operator("aten::to.dtype_layout");
const squeezeOp = new Operator("aten::squeeze");
const prodDimOp = new Operator("aten::prod.dim_int");
const whereOp = new Operator("aten::where.self");

/** One entry of `x.at(…)`. */
export type Index = IndexOf<Tensor>;

/**
 * An n-dimensional array of LibTorch, with gradients. Methods carry PyTorch's names in camelCase; required arguments
 * come by position, the rest in an options object. `_` at the end means in place.
 */
export class Tensor extends TensorMethods {
  #shape: readonly number[] | undefined;

  /** @internal */
  override forgetShape(): void {
    this.#shape = undefined;
  }

  get shape(): readonly number[] {
    this.#shape ??= Object.freeze(native.shape(this.handle));
    return this.#shape;
  }
  get ndim(): number {
    return this.shape.length;
  }
  /** Number of elements. */
  get numel(): number {
    return this.shape.reduce((product, size) => product * size, 1);
  }
  get #info(): NativeInfo {
    return native.info(this.handle);
  }
  get dtype(): DType {
    return this.#info.dtype;
  }
  get device(): string {
    return this.#info.device;
  }
  get isLeaf(): boolean {
    return this.#info.isLeaf;
  }
  get isContiguous(): boolean {
    return this.#info.isContiguous;
  }

  get requiresGrad(): boolean {
    return native.requiresGrad(this.handle);
  }
  /** Whether gradients of this leaf are wanted. */
  requiresGrad_(on = true): this {
    native.setRequiresGrad(this.handle, on);
    return this;
  }
  /** The accumulated gradient, or null. Each read gives a new handle on the same memory. */
  get grad(): Tensor | null {
    return wrapOptional(native.getGrad(this.handle));
  }
  set grad(gradient: Tensor | null) {
    native.setGrad(this.handle, gradient ? gradient.handle : null);
  }
  /** Adds d(this)/d(leaf) to the `grad` of every leaf that requires it. A non-scalar needs `gradient`. */
  backward(gradient?: Tensor, { retainGraph = false, createGraph = false } = {}): void {
    native.backward([this.handle], gradient ? [gradient.handle] : null, retainGraph, createGraph);
  }

  /** The value of a one-element tensor. */
  item(): number {
    return native.item(this.handle);
  }
  /** Nested arrays of numbers (booleans are 0 and 1; int64 beyond 2^53 loses digits). */
  tolist(): NestedNumbers {
    return nest(this.toTypedArray(), numberShape(this.dtype, this.shape));
  }
  /** A copy of the elements in row-major order; floats of 16 and 8 bits are widened to float32. */
  toTypedArray(): TypedArray {
    const { dtype } = this;
    return viewBuffer(native.read(this.handle), isNarrowFloat(dtype) ? "float32" : dtype);
  }
  /**
   * The tensor's own memory as a typed array, without a copy: writes are seen by both sides, and the array stays
   * valid after the tensor is released. floats of 16 and 8 bits appear as their bits.
   * @throws unless the tensor is contiguous and on the CPU
   */
  data(): TypedArray {
    return viewBuffer(native.toBuffer(this.handle), this.dtype);
  }

  /** Slices as PyTorch's `x[…]`: a number, null (new axis), ":", "...", {start, end, step} or an index tensor a dimension. */
  at(...index: Index[]): Tensor {
    return indexTensor(this, index);
  }

  /**
   * Converts dtype and device; gradients flow through. Without `copy`, nothing is copied when nothing changes. With
   * `nonBlocking` a copy between pinned memory and a card goes on beside the program: the source must not change meanwhile.
   */
  to(
    target: DType | (string & {}) | { dtype?: DType; device?: string; copy?: boolean; nonBlocking?: boolean },
  ): Tensor {
    const { dtype, device, copy, nonBlocking } =
      typeof target !== "string" ? target : isDType(target) ? { dtype: target } : { dtype: this.dtype, device: target };
    return wrap(call(toOp.id, this.handle, dtype, undefined, device, undefined, nonBlocking ?? false, copy ?? false));
  }
  float(): Tensor {
    return this.to("float32");
  }
  double(): Tensor {
    return this.to("float64");
  }
  bfloat16(): Tensor {
    return this.to("bfloat16");
  }
  half(): Tensor {
    return this.to("float16");
  }
  int(): Tensor {
    return this.to("int32");
  }
  long(): Tensor {
    return this.to("int64");
  }
  bool(): Tensor {
    return this.to("bool");
  }

  /** Removes dimension `dim` when its size is 1; without `dim`, all such dimensions. */
  override squeeze(dim?: number): this {
    return dim === undefined ? wrap(call(squeezeOp.id, this.handle)) : super.squeeze(dim);
  }
  /** Product of all elements, or along `dim`. */
  override prod(dim?: number | { dtype?: DType }, { keepdim, dtype }: { keepdim?: boolean; dtype?: DType } = {}): this {
    if (typeof dim !== "number") return super.prod(dim ?? { dtype });
    return wrap(call(prodDimOp.id, this.handle, dim, keepdim, dtype));
  }
  /** This where `condition` holds, `other` elsewhere. */
  where(condition: Tensor, other: Tensor | number): Tensor {
    const otherHandle = typeof other === "number" ? native.scalarTensor(other) : other.handle;
    return wrap(call(whereOp.id, condition.handle, this.handle, otherHandle));
  }

  [inspect.custom](): string {
    return this.toString();
  }
  override toString(): string {
    if (this.handle === 0) return "Tensor(disposed)";
    if (!native.isLive(this.handle)) return "Tensor(released: its scope ended; return it from there or keep() it)";
    return formatTensor(this);
  }
}

registerTensorClass(Tensor as new (handle: Handle) => Tensor);
