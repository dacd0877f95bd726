import type { Estimate } from "@omni-id/data";
import { COLOURS, digitsOf, legendOf, svgOf, textAt, ticksOf } from "./svg.ts";

/** A line of a chart: its name, and dots with intervals. */
export interface ChartRow {
  name: string;
  dots: { label: string; value: Estimate }[];
}

export interface ChartOptions {
  rows: readonly ChartRow[];
  /** What the axis measures. */
  axis: string;
  /** Upright lines to compare with. */
  marks?: readonly { label: string; at: number }[];
}

const [LEFT, WIDTH, ROW, TOP] = [210, 760, 34, 46];

/** Dots with their intervals, a row an arm, as SVG. What differs is in the foreground: the axis ends where the intervals do. */
export function dotChart({ rows, axis, marks = [] }: ChartOptions): string {
  const ends = rows
    .flatMap(({ dots }) => dots.flatMap(({ value }) => [...value.ci, value.mean]))
    .filter(Number.isFinite);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const room = (high - low || 1) * 0.06;
  const [from, to] = [low - room, high + room];
  const x = (value: number) => (LEFT + ((value - from) / (to - from)) * (WIDTH - LEFT - 20)).toFixed(1);
  const labels = rows[0]?.dots.map(({ label }) => label) ?? [];
  const bottom = TOP + rows.length * ROW;
  const places = ticksOf(from, to);
  const digits = digitsOf(places);
  const ticks = places.map(
    (tick) =>
      `<line x1="${x(tick)}" x2="${x(tick)}" y1="${TOP - 8}" y2="${bottom}" stroke="#e3e6ec"/>${textAt(x(tick), bottom + 16, tick.toFixed(digits), 'text-anchor="middle"')}`,
  );
  const lines = marks
    .filter(({ at }) => at > from && at < to)
    .map(
      ({ label, at }) =>
        `<line x1="${x(at)}" x2="${x(at)}" y1="${TOP - 8}" y2="${bottom}" stroke="#999" stroke-dasharray="3 3"/>${textAt(x(at), TOP - 12, label, 'text-anchor="middle" fill="#666"')}`,
    );
  const arms = rows.map(({ name, dots }, row) => {
    const middle = TOP + row * ROW + ROW / 2;
    const marksOf = dots.map(({ value: { mean, ci } }, i) => {
      const y = middle + (i - (dots.length - 1) / 2) * 9;
      return `<line x1="${x(ci[0])}" x2="${x(ci[1])}" y1="${y}" y2="${y}" stroke="${COLOURS[i]}" stroke-width="2"/><circle cx="${x(mean)}" cy="${y}" r="4" fill="${COLOURS[i]}"/>`;
    });
    return `${textAt(LEFT - 10, middle + 4, name, 'text-anchor="end"')}${marksOf.join("")}`;
  });
  return svgOf({ title: axis, width: WIDTH, height: bottom + 44 }, [
    ...ticks,
    ...lines,
    ...legendOf(labels, LEFT),
    ...arms,
    textAt(LEFT + (WIDTH - LEFT) / 2, bottom + 36, axis, 'text-anchor="middle" fill="#666"'),
  ]);
}
