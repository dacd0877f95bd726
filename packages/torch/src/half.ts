const scratch = new Float32Array(1);
const bits = new Uint32Array(scratch.buffer);

/** float32 numbers as the bits of float16, rounded to the nearest, ties to even; what is too large becomes infinite. */
export function halfBits(values: ArrayLike<number>): Uint16Array {
  return Uint16Array.from({ length: values.length }, (_, i) => halfOf(values[i]));
}

function halfOf(value: number): number {
  scratch[0] = value;
  const [whole] = bits;
  const sign = (whole >>> 16) & 0x8000;
  const magnitude = whole & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // no number
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // beyond the largest once rounded
  // Numbers below the normal range are whole multiples of 2^-24.
  if (magnitude < 0x38800000) return sign | nearestEven(Math.abs(scratch[0]) * 2 ** 24);
  const moved = magnitude - 0x38000000; // the exponent counts from −15 there, from −127 here
  const odd = (moved >>> 13) & 1;
  return sign | ((moved + 0x0fff + odd) >>> 13);
}

function nearestEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
