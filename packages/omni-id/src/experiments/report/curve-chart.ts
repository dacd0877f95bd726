import type { Estimate } from "@omni-id/data";
import { COLOURS, digitsOf, legendOf, svgOf, textAt, ticksOf } from "./svg.ts";

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
  const heights = ticksOf(from, to);
  const across = heights.map(
    (tick) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(tick)}" y2="${y(tick)}" stroke="#e3e6ec"/>${textAt(LEFT - 8, Number(y(tick)) + 4, tick.toFixed(digitsOf(heights)), 'text-anchor="end"')}`,
  );
  const below = [...new Set(xs)].map((value) => textAt(x(value), bottom + 18, `${value}`, 'text-anchor="middle"'));
  const drawn = curves.map(({ points }, i) => {
    const [upper, lower] = [1, 0].map((end) => points.map(({ x: at, value }) => `${x(at)},${y(value.ci[end])}`));
    const line = points.map(({ x: at, value }) => `${x(at)},${y(value.mean)}`);
    const dots = line.map((place) => {
      const [cx, cy] = place.split(",");
      return `<circle cx="${cx}" cy="${cy}" r="4" fill="${COLOURS[i]}"/>`;
    });
    return `<polygon points="${[...upper, ...lower.reverse()].join(" ")}" fill="${COLOURS[i]}" opacity="0.15"/><polyline points="${line.join(" ")}" fill="none" stroke="${COLOURS[i]}" stroke-width="2"/>${dots.join("")}`;
  });
  return svgOf({ title: `${axes.y} against ${axes.x}`, width: WIDTH, height: HEIGHT }, [
    ...across,
    ...below,
    ...drawn,
    ...legendOf(
      curves.map(({ label }) => label),
      LEFT,
    ),
    textAt((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, axes.x, 'text-anchor="middle" fill="#666"'),
    textAt(WIDTH - RIGHT, 18, axes.y, 'text-anchor="end" fill="#666"'),
  ]);
}
