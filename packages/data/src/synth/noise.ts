/** A number in [−1, 1] for each lattice point. */
function lattice(x: number, y: number, z: number): number {
  let h = Math.imul(x, 0x27d4eb2d) ^ Math.imul(y, 0x165667b1) ^ Math.imul(z, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2147483648 - 1;
}

/** Noise along one edge of a cell, `f` of the way. */
function edge(x: number, y: number, z: number, f: number): number {
  const a = lattice(x, y, z);
  return a + (lattice(x + 1, y, z) - a) * f;
}

const ease = (t: number) => t * t * (3 - 2 * t);

/** Smooth noise in about [−1, 1], one bump a unit of length. */
export function valueNoise(x: number, y: number, z: number): number {
  const xi = Math.floor(x);
  const yi = Math.floor(y);
  const zi = Math.floor(z);
  const fx = ease(x - xi);
  const fy = ease(y - yi);
  const fz = ease(z - zi);
  const a = edge(xi, yi, zi, fx);
  const b = edge(xi, yi, zi + 1, fx);
  const near = a + (edge(xi, yi + 1, zi, fx) - a) * fy;
  const far = b + (edge(xi, yi + 1, zi + 1, fx) - b) * fy;
  return near + (far - near) * fz;
}
