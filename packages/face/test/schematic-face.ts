/** A schematic frontal face: 68 points in a 200 px picture. */
export function schematicFace(): Float32Array {
  const points: number[] = [];
  const arc = (n: number, cx: number, cy: number, rx: number, ry: number, from: number, to: number) => {
    for (let i = 0; i < n; i++) {
      const angle = from + ((to - from) * i) / (n - 1);
      points.push(cx + rx * Math.cos(angle), cy + ry * Math.sin(angle));
    }
  };
  arc(17, 100, 95, 55, 75, Math.PI, 0); // jaw, ear to ear over the chin
  for (let i = 0; i < 17; i++) points[2 * i + 1] = 95 + Math.abs(points[2 * i + 1] - 95);
  arc(5, 75, 75, 18, 6, Math.PI, 2 * Math.PI);
  arc(5, 125, 75, 18, 6, Math.PI, 2 * Math.PI);
  for (let i = 0; i < 4; i++) points.push(100, 85 + 9 * i);
  arc(5, 100, 118, 12, 3, Math.PI, 0);
  for (const cx of [75, 125]) {
    points.push(cx - 11, 90, cx - 4, 86, cx + 4, 86, cx + 11, 90, cx + 4, 93, cx - 4, 93);
  }
  arc(7, 100, 140, 22, 8, Math.PI, 2 * Math.PI);
  arc(5, 100, 140, 18, 8, 0.3, Math.PI - 0.3);
  arc(5, 100, 140, 16, 4, Math.PI, 2 * Math.PI);
  arc(3, 100, 140, 10, 4, 0.3, Math.PI - 0.3);
  return Float32Array.from(points);
}
