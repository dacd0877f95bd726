import type { Estimate } from "@omni-id/data";

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

export const COLOURS = ["#7f9cc9", "#1f4e8c", "#c0642b"];
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
  const text = (at: number | string, y: number, words: string, style = "") =>
    `<text x="${at}" y="${y}" font-size="12" ${style}>${escaped(words)}</text>`;
  const places = ticksOf(from, to);
  const digits = digitsOf(places);
  const ticks = places.map(
    (tick) =>
      `<line x1="${x(tick)}" x2="${x(tick)}" y1="${TOP - 8}" y2="${bottom}" stroke="#e3e6ec"/>${text(x(tick), bottom + 16, tick.toFixed(digits), 'text-anchor="middle"')}`,
  );
  const lines = marks
    .filter(({ at }) => at > from && at < to)
    .map(
      ({ label, at }) =>
        `<line x1="${x(at)}" x2="${x(at)}" y1="${TOP - 8}" y2="${bottom}" stroke="#999" stroke-dasharray="3 3"/>${text(x(at), TOP - 12, label, 'text-anchor="middle" fill="#666"')}`,
    );
  const legend = labels.map(
    (label, i) =>
      `<circle cx="${LEFT + 10 + i * 90}" cy="14" r="5" fill="${COLOURS[i]}"/>${text(LEFT + 20 + i * 90, 18, label)}`,
  );
  const arms = rows.map(({ name, dots }, row) => {
    const middle = TOP + row * ROW + ROW / 2;
    const marksOf = dots.map(({ value: { mean, ci } }, i) => {
      const y = middle + (i - (dots.length - 1) / 2) * 9;
      return `<line x1="${x(ci[0])}" x2="${x(ci[1])}" y1="${y}" y2="${y}" stroke="${COLOURS[i]}" stroke-width="2"/><circle cx="${x(mean)}" cy="${y}" r="4" fill="${COLOURS[i]}"/>`;
    });
    return `${text(LEFT - 10, middle + 4, name, 'text-anchor="end"')}${marksOf.join("")}`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 44}" font-family="system-ui, DejaVu Sans, sans-serif" fill="#1d2430">`,
    `<title>${escaped(axis)}</title>`,
    `<rect width="${WIDTH}" height="${bottom + 44}" fill="#fff"/>`,
    ...ticks,
    ...lines,
    ...legend,
    ...arms,
    text(LEFT + (WIDTH - LEFT) / 2, bottom + 36, axis, 'text-anchor="middle" fill="#666"'),
    "</svg>\n",
  ].join("\n");
}

/** Decimals that tell ticks apart. */
export const digitsOf = (ticks: readonly number[]): number =>
  Math.max(0, -Math.floor(Math.log10((ticks[1] ?? 1) - (ticks[0] ?? 0)) + 1e-9));

/** Round numbers between two values, about five of them. */
export function ticksOf(from: number, to: number): number[] {
  const rough = (to - from) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough;
  const first = Math.ceil(from / step);
  return Array.from({ length: Math.floor(to / step) - first + 1 }, (_, i) => (first + i) * step);
}

export const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
