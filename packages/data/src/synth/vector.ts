export type Vec3 = readonly [number, number, number];
/** Row by row. */
export type Mat3 = readonly [number, number, number, number, number, number, number, number, number];

export const IDENTITY: Mat3 = [1, 0, 0, 0, 1, 0, 0, 0, 1];
const RADIANS = Math.PI / 180;

export function multiply(a: Mat3, b: Mat3): Mat3 {
  const row = (i: number, j: number) => a[3 * i] * b[j] + a[3 * i + 1] * b[3 + j] + a[3 * i + 2] * b[6 + j];
  return [row(0, 0), row(0, 1), row(0, 2), row(1, 0), row(1, 1), row(1, 2), row(2, 0), row(2, 1), row(2, 2)];
}

export const transpose = (m: Mat3): Mat3 => [m[0], m[3], m[6], m[1], m[4], m[7], m[2], m[5], m[8]];

export function apply(m: Mat3, [x, y, z]: Vec3): Vec3 {
  return [m[0] * x + m[1] * y + m[2] * z, m[3] * x + m[4] * y + m[5] * z, m[6] * x + m[7] * y + m[8] * z];
}

export function rotateX(degrees: number): Mat3 {
  const [c, s] = [Math.cos(degrees * RADIANS), Math.sin(degrees * RADIANS)];
  return [1, 0, 0, 0, c, -s, 0, s, c];
}
export function rotateY(degrees: number): Mat3 {
  const [c, s] = [Math.cos(degrees * RADIANS), Math.sin(degrees * RADIANS)];
  return [c, 0, s, 0, 1, 0, -s, 0, c];
}
export function rotateZ(degrees: number): Mat3 {
  const [c, s] = [Math.cos(degrees * RADIANS), Math.sin(degrees * RADIANS)];
  return [c, -s, 0, s, c, 0, 0, 0, 1];
}

/**
 * The head's rotation in the camera's frame (x right, y up, z to the viewer). Yaw > 0 turns the face to the right of
 * the image, pitch > 0 looks up, roll > 0 tilts clockwise in the image. Degrees.
 */
export function headRotation(yaw: number, pitch: number, roll: number): Mat3 {
  return multiply(rotateZ(-roll), multiply(rotateY(yaw), rotateX(-pitch)));
}

/** A share of a rotation, about the same axis (Rodrigues). */
export function partOf(rotation: Mat3, share: number): Mat3 {
  const cosine = Math.max(-1, Math.min(1, (rotation[0] + rotation[4] + rotation[8] - 1) / 2));
  const angle = Math.acos(cosine);
  if (angle < 1e-6) return IDENTITY;
  const scale = 1 / (2 * Math.sin(angle));
  const x = (rotation[7] - rotation[5]) * scale;
  const y = (rotation[2] - rotation[6]) * scale;
  const z = (rotation[3] - rotation[1]) * scale;
  const [c, s] = [Math.cos(angle * share), Math.sin(angle * share)];
  const v = 1 - c;
  return [
    c + x * x * v,
    x * y * v - z * s,
    x * z * v + y * s,
    y * x * v + z * s,
    c + y * y * v,
    y * z * v - x * s,
    z * x * v - y * s,
    z * y * v + x * s,
    c + z * z * v,
  ];
}

/** Unit vector from azimuth (0: from the camera, 90: image right) and elevation, degrees. */
export function direction(azimuth: number, elevation: number): Vec3 {
  const [a, e] = [azimuth * RADIANS, elevation * RADIANS];
  return [Math.sin(a) * Math.cos(e), Math.sin(e), Math.cos(a) * Math.cos(e)];
}

/** 0 at `from`, 1 at `to`, smooth between. */
export function smoothstep(from: number, to: number, x: number): number {
  const t = Math.max(0, Math.min(1, (x - from) / (to - from)));
  return t * t * (3 - 2 * t);
}

/** 1 at 0, and 1 / e at ± `width`. */
export const gauss = (x: number, width: number) => Math.exp(-((x / width) ** 2));
