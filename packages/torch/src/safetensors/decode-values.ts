/** The value of 16 bits as IEEE 754 has them: 5 of exponent, 10 of fraction. */
function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const DECODE: Readonly<Record<string, { bytes: number; at: (view: DataView, byte: number) => number }>> = {
  F64: { bytes: 8, at: (view, byte) => view.getFloat64(byte, true) },
  F32: { bytes: 4, at: (view, byte) => view.getFloat32(byte, true) },
  F16: { bytes: 2, at: (view, byte) => halfValue(view.getUint16(byte, true)) },
  BF16: {
    bytes: 2,
    at: (view, byte) => {
      widened.setUint32(0, view.getUint16(byte, true) * 0x10000);
      return widened.getFloat32(0);
    },
  },
};
const widened = new DataView(new ArrayBuffer(4));

/** Floating-point numbers as a safetensors file has them. @param code the format's name of the dtype @throws when it is none of floating point */
export function decodeValues(bytes: Uint8Array, code: string): Float32Array {
  const decode = DECODE[code];
  if (!decode) throw new Error(`values of ${code} are read as a tensor only`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.length / decode.bytes }, (_, i) => decode.at(view, i * decode.bytes));
}
