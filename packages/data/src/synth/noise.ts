/** A number in [−1, 1] for each lattice point. */
function lattice(x: number, y: number, z: number): number {
  let h = Math.imul(x, 0x27d4eb2d) ^ Math.imul(y, 0x165667b1) ^ Math.imul(z, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2147483648 - 1;
}

/** Smooth noise in about [−1, 1], one bump a unit of length. */
export function valueNoise(x: number, y: number, z: number): number {
  const [xi, yi, zi] = [Math.floor(x), Math.floor(y), Math.floor(z)];
  const ease = (t: number) => t * t * (3 - 2 * t);
  const [fx, fy, fz] = [ease(x - xi), ease(y - yi), ease(z - zi)];
  const edge = (dy: number, dz: number) => {
    const a = lattice(xi, yi + dy, zi + dz);
    return a + (lattice(xi + 1, yi + dy, zi + dz) - a) * fx;
  };
  const near = edge(0, 0) + (edge(1, 0) - edge(0, 0)) * fy;
  const far = edge(0, 1) + (edge(1, 1) - edge(0, 1)) * fy;
  return near + (far - near) * fz;
}
