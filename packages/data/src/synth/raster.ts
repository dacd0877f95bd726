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
