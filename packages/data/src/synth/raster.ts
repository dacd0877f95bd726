/**
 * Draws one triangle of projected points (x, y, and a third value that is higher the nearer) into a square map.
 * @param nearest the highest value of each place so far
 * @param owner the triangle of each place, if anybody asks
 */
export function drawTriangle(
  points: Float32Array,
  corner: Uint32Array,
  t: number,
  side: number,
  nearest: Float32Array,
  owner?: Int32Array,
): void {
  const a = corner[3 * t] * 3;
  const b = corner[3 * t + 1] * 3;
  const c = corner[3 * t + 2] * 3;
  const ax = points[a];
  const ay = points[a + 1];
  const az = points[a + 2];
  const bx = points[b];
  const by = points[b + 1];
  const bz = points[b + 2];
  const cx = points[c];
  const cy = points[c + 1];
  const cz = points[c + 2];
  const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
  if (area > -1e-9 && area < 1e-9) return;
  const x0 = Math.max(0, Math.ceil(Math.min(ax, bx, cx) - 0.5));
  const x1 = Math.min(side - 1, Math.floor(Math.max(ax, bx, cx) - 0.5));
  const y0 = Math.max(0, Math.ceil(Math.min(ay, by, cy) - 0.5));
  const y1 = Math.min(side - 1, Math.floor(Math.max(ay, by, cy) - 0.5));
  if (x0 > x1 || y0 > y1) return;
  const inverse = 1 / area;
  const stepA = (by - cy) * inverse;
  const stepB = (cy - ay) * inverse;
  for (let y = y0; y <= y1; y++) {
    let wa = ((bx - x0 - 0.5) * (cy - y - 0.5) - (cx - x0 - 0.5) * (by - y - 0.5)) * inverse;
    let wb = ((cx - x0 - 0.5) * (ay - y - 0.5) - (ax - x0 - 0.5) * (cy - y - 0.5)) * inverse;
    const end = y * side + x1;
    for (let p = y * side + x0; p <= end; p++, wa += stepA, wb += stepB) {
      const wc = 1 - wa - wb;
      if (wa < 0 || wb < 0 || wc < 0) continue;
      const near = wa * az + wb * bz + wc * cz;
      if (near > nearest[p]) {
        nearest[p] = near;
        if (owner) owner[p] = t;
      }
    }
  }
}

/** A triangle on the screen, in samples. One is reused for all. */
export class ScreenTriangle {
  ax = 0.5;
  ay = 0.5;
  az = 0.5;
  bx = 0.5;
  by = 0.5;
  bz = 0.5;
  cx = 0.5;
  cy = 0.5;
  cz = 0.5;
  /** 1 over twice its area. */
  inverse = 0.5;
  /** The weights of its corners change by less than this from a pixel's centre to its samples. */
  reachA = 0.5;
  reachB = 0.5;
  reachC = 0.5;
  /** Factor on its 1 / distance. */
  lift = 1.5;

  /** @returns false where it has no area */
  set(s: Float32Array, a: number, b: number, c: number): boolean {
    this.ax = s[a];
    this.ay = s[a + 1];
    this.az = s[a + 2];
    this.bx = s[b];
    this.by = s[b + 1];
    this.bz = s[b + 2];
    this.cx = s[c];
    this.cy = s[c + 1];
    this.cz = s[c + 2];
    const { ax, ay, bx, by, cx, cy } = this;
    const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
    this.inverse = 1 / area;
    const half = 0.5005 / Math.abs(area);
    this.reachA = (Math.abs(by - cy) + Math.abs(cx - bx)) * half;
    this.reachB = (Math.abs(cy - ay) + Math.abs(ax - cx)) * half;
    this.reachC = (Math.abs(ay - by) + Math.abs(bx - ax)) * half;
    return Math.abs(area) >= 1e-9;
  }
}
