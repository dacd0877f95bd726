// What files below the tensor class know of it.
import type { DType, TypedArray } from "./dtype.ts";

/** Elements as nested arrays; a scalar is a number. */
export type NestedNumbers = number | NestedNumbers[];

interface Described {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** What can be shown in words. */
export interface Printable extends Described {
  readonly device: string;
  readonly requiresGrad: boolean;
  readonly numel: number;
  toTypedArray(): TypedArray;
}

/** What can be indexed. */
export interface Sliceable extends Described {
  readonly ndim: number;
  unsqueeze(dim: number): this;
  select(dim: number, index: number): this;
  slice(dim: number, start?: number | null, end?: number | null, step?: number): this;
  index(indices: readonly (this | null)[]): this;
}
