import { escapeXml } from "../../pictures/escape-xml.ts";

/** Of the first, second and third kind of dot. */
export const COLOURS = ["#7f9cc9", "#1f4e8c", "#c0642b"];

/** A chart around its parts. */
export const svgOf = (
  { title, width, height }: { title: string; width: number; height: number },
  parts: readonly string[],
): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, DejaVu Sans, sans-serif" fill="#1d2430">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...parts,
    "</svg>\n",
  ].join("\n");

/** Words at a place. @param style further attributes */
export const textAt = (x: number | string, y: number | string, words: string, style = ""): string =>
  `<text x="${x}" y="${y}" font-size="12" ${style}>${escapeXml(words)}</text>`;

/** What each colour stands for, above a chart whose axis begins at `left`. */
export const legendOf = (labels: readonly string[], left: number): string[] =>
  labels.map(
    (label, i) =>
      `<circle cx="${left + 10 + i * 90}" cy="14" r="5" fill="${COLOURS[i]}"/>${textAt(left + 20 + i * 90, 18, label)}`,
  );

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
