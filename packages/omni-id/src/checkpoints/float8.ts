import { type DType, fromTypedArray, scope, type Tensor } from "@omni-id/torch";

/** Bits of the mantissa, and the exponent that stands for 2⁰. */
const FORMATS = {
  F8_E4M3: { mantissa: 3, bias: 7 },
  F8_E5M2: { mantissa: 2, bias: 15 },
} as const;
export type Float8 = keyof typeof FORMATS;

export const isFloat8 = (code: string): code is Float8 => Object.hasOwn(FORMATS, code);

/** The value of every byte (OCP 8-bit floating point specification 1.0, section 5). */
function valuesOf(code: Float8): Float32Array {
  const { mantissa, bias } = FORMATS[code];
  const steps = 2 ** mantissa;
  const top = 2 ** (7 - mantissa) - 1;
  return Float32Array.from({ length: 256 }, (_, byte) => {
    const sign = byte >= 128 ? -1 : 1;
    const exponent = (byte & 127) >> mantissa;
    const fraction = byte & (steps - 1);
    // E4M3 has one NaN and no infinity; E5M2 has both, as wider floats do.
    if (code === "F8_E4M3" && (byte & 127) === 127) return Number.NaN;
    if (code === "F8_E5M2" && exponent === top) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    if (exponent === 0) return sign * (fraction / steps) * 2 ** (1 - bias);
    return sign * (1 + fraction / steps) * 2 ** (exponent - bias);
  });
}

/** Scales of a weight `[rows, columns]`, one for each part of a grid over it. */
export interface Scales {
  values: ArrayLike<number>;
  shape: readonly number[];
}

const arrays = { float32: Float32Array, float64: Float64Array, bfloat16: Uint16Array, float16: Uint16Array } as const;
type Wide = keyof typeof arrays;
const isWide = (dtype: DType): dtype is Wide => Object.hasOwn(arrays, dtype);

/**
 * 8-bit floats as a tensor of another dtype, each times its scale: W = byte · scale. There are 256 of them, so the
 * scale goes into a table of 256 entries, and nothing of the tensor's size is held in a wider dtype.
 * @throws when the scales do not divide the tensor evenly
 */
export function decodeFloat8(
  bytes: Uint8Array,
  { code, shape, scales, dtype }: { code: Float8; shape: readonly number[]; scales?: Scales; dtype: DType },
): Tensor {
  if (!isWide(dtype)) throw new Error(`8-bit floats become floats, not ${dtype}`);
  const values = valuesOf(code);
  const out = new arrays[dtype](bytes.length);
  const table = (scale: number) =>
    scope(() => fromTypedArray(values, [256], { device: "cpu" }).mul(scale).to(dtype).data());
  const { rows, columns, height, width, across } = gridOf(shape, scales);
  for (let part = 0; part * height < rows; part++) {
    for (let side = 0; side < across; side++) {
      const entries = table(scales ? scales.values[part * across + side] : 1);
      const right = Math.min(columns, (side + 1) * width);
      for (let row = part * height; row < Math.min(rows, (part + 1) * height); row++) {
        for (let i = row * columns + side * width, end = row * columns + right; i < end; i++) {
          out[i] = entries[bytes[i]] as number;
        }
      }
    }
  }
  return fromTypedArray(out, shape, { dtype, copy: false, device: "cpu" });
}

/** How many rows and columns share a scale: all, one row, or a block. */
function gridOf(shape: readonly number[], scales: Scales | undefined) {
  const rows = shape.length > 1 ? shape[0] : 1;
  const columns = shape.reduce((product, size) => product * size, 1) / Math.max(1, rows);
  const grid = scales?.shape.filter((size, i) => size !== 1 || i === 0) ?? [];
  const [down = 1, across = 1] = grid;
  const height = partOf(rows, down);
  const width = partOf(columns, across);
  if (grid.length > 2 || height === undefined || width === undefined) {
    throw new Error(`scales [${scales?.shape.join(", ")}] do not fit a weight [${shape.join(", ")}]`);
  }
  return { rows, columns, height, width, across };
}

/** A length's even share, or blocks of 128 of which the last is cut. */
function partOf(length: number, parts: number): number | undefined {
  if (parts > 0 && length % parts === 0) return Math.max(1, length / parts);
  return Math.ceil(length / 128) === parts ? 128 : undefined;
}
