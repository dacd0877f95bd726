import type { Estimate } from "@omni-id/data";
import { COLOURS, digitsOf, escaped, ticksOf } from "./chart.ts";

/** One curve: its name, and its points from left to right. */
export interface Curve {
  label: string;
  points: readonly { x: number; value: Estimate }[];
}

export interface CurveChartOptions {
  curves: readonly Curve[];
  /** What is counted from left to right, and what is measured upwards. */
  axes: { x: string; y: string };
}

const [LEFT, RIGHT, TOP, WIDTH, HEIGHT] = [70, 20, 34, 760, 330];

/** Curves with bands of their intervals, as SVG. */
export function curveChart({ curves, axes }: CurveChartOptions): string {
  const points = curves.flatMap((curve) => curve.points);
  const xs = points.map(({ x }) => x);
  const ys = points.flatMap(({ value: { mean, ci } }) => [mean, ...ci]);
  const [right, low, high] = [Math.max(...xs) || 1, Math.min(...ys), Math.max(...ys)];
  const room = (high - low || 1) * 0.08;
  const [from, to, bottom] = [low - room, high + room, HEIGHT - 50];
  const x = (value: number) => (LEFT + (value / right) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const y = (value: number) => (bottom - ((value - from) / (to - from)) * (bottom - TOP)).toFixed(1);
  const text = (place: string, words: string, style = "") =>
    `<text ${place} font-size="12" ${style}>${escaped(words)}</text>`;
  const heights = ticksOf(from, to);
  const across = heights.map(
    (tick) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(tick)}" y2="${y(tick)}" stroke="#e3e6ec"/>${text(`x="${LEFT - 8}" y="${Number(y(tick)) + 4}"`, tick.toFixed(digitsOf(heights)), 'text-anchor="end"')}`,
  );
  const below = [...new Set(xs)].map((value) =>
    text(`x="${x(value)}" y="${bottom + 18}"`, `${value}`, 'text-anchor="middle"'),
  );
  const drawn = curves.map(({ points }, i) => {
    const [upper, lower] = [1, 0].map((end) => points.map(({ x: at, value }) => `${x(at)},${y(value.ci[end])}`));
    const line = points.map(({ x: at, value }) => `${x(at)},${y(value.mean)}`);
    const dots = line.map((place) => {
      const [cx, cy] = place.split(",");
      return `<circle cx="${cx}" cy="${cy}" r="4" fill="${COLOURS[i]}"/>`;
    });
    return `<polygon points="${[...upper, ...lower.reverse()].join(" ")}" fill="${COLOURS[i]}" opacity="0.15"/><polyline points="${line.join(" ")}" fill="none" stroke="${COLOURS[i]}" stroke-width="2"/>${dots.join("")}`;
  });
  const legend = curves.map(
    ({ label }, i) =>
      `<circle cx="${LEFT + 10 + i * 90}" cy="14" r="5" fill="${COLOURS[i]}"/>${text(`x="${LEFT + 20 + i * 90}" y="18"`, label)}`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, DejaVu Sans, sans-serif" fill="#1d2430">`,
    `<title>${escaped(`${axes.y} against ${axes.x}`)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    ...across,
    ...below,
    ...drawn,
    ...legend,
    text(`x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 12}"`, axes.x, 'text-anchor="middle" fill="#666"'),
    text(`x="${WIDTH - RIGHT}" y="18"`, axes.y, 'text-anchor="end" fill="#666"'),
    "</svg>\n",
  ].join("\n");
}
