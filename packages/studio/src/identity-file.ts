import { encodeSafetensors, parseSafetensors } from "@omni-id/torch/plain";
import { type IdentityValues, identityFrom, identityMetadata } from "omni-id";

/** The identity file as bytes in memory: what `saveIdentity` and `readIdentity` do, without a disk and without LibTorch. */

/** The file in 16 bits, as `omni-id encode` writes it. */
export function identityBytes(identity: IdentityValues): Uint8Array {
  const { values, shape } = identity;
  const data = new Uint8Array(2 * values.length);
  const view = new DataView(data.buffer);
  for (const [i, value] of values.entries()) view.setUint16(2 * i, toHalf(value), true);
  return encodeSafetensors([{ name: "identity", code: "F16", shape, data }], identityMetadata(identity));
}

/**
 * Reads the bytes of an identity file.
 * @param name what messages call it
 * @throws when they are no identity file, damaged, or of a later format
 */
export function parseIdentityBytes(name: string, bytes: Uint8Array): IdentityValues {
  return identityFrom(parseSafetensors(bytes, name), name);
}

const float = new Float32Array(1);
const pattern = new Uint32Array(float.buffer);

/** The nearest number of 16 bits; ties to even, as everywhere. */
export function toHalf(value: number): number {
  float[0] = value;
  const sign = (pattern[0] >>> 16) & 0x8000;
  const exponent = ((pattern[0] >>> 23) & 255) - 112;
  const fraction = pattern[0] & 0x7fffff;
  if (exponent >= 31) return sign | 0x7c00 | (exponent === 143 && fraction ? 0x200 : 0);
  // Below 2^-14 the distance between numbers no longer shrinks.
  const shift = exponent > 0 ? 13 : 14 - exponent;
  if (shift > 24) return sign;
  const whole = exponent > 0 ? (exponent << 23) | fraction : fraction | 0x800000;
  const half = whole >>> shift;
  const rest = whole & ((1 << shift) - 1);
  const tie = 1 << (shift - 1);
  return sign | (half + Number(rest > tie || (rest === tie && (half & 1) === 1)));
}
