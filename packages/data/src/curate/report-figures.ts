import { type Histogram, POSE_STEP, type SetSummary } from "./summary.ts";

/** Colours of the report's figures, for both light and dark pages. */
const [KEPT, MEASURED] = ["#2a7f9e", "#b9c4cc"];

export const escapeHtml = (text: string): string =>
  text.replace(
    /[&<>"']/g,
    (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[c] as string,
  );

/**
 * Two histograms over each other: all measured faces behind, the kept ones in front, each as shares of its own.
 * @param least where the filter stands
 */
export function histogramSvg({ from, step, measured, kept }: Histogram, least: number): string {
  const [width, height, bottom] = [420, 130, 18];
  const used = measured.reduce((last, count, i) => (count > 0 ? i : last), 0) + 1;
  const shares = (counts: number[]) => {
    const total = counts.reduce((sum, count) => sum + count, 0) || 1;
    return counts.slice(0, used).map((count) => count / total);
  };
  const [back, front] = [shares(measured), shares(kept)];
  const most = Math.max(...back, ...front, 1e-9);
  const bar = width / used;
  const rect = (share: number, i: number, colour: string, inset: number) => {
    const h = (share / most) * (height - bottom - 4);
    return `<rect x="${(i * bar + inset).toFixed(1)}" y="${(height - bottom - h).toFixed(1)}" width="${(bar - 2 * inset).toFixed(1)}" height="${h.toFixed(1)}" fill="${colour}"/>`;
  };
  const every = Math.ceil(used / 8);
  const label = (i: number) => String(Math.round((from + i * step) * 100) / 100);
  const ticks = Array.from({ length: Math.floor(used / every) + 1 }, (_, k) => k * every).map(
    (i) => `<text x="${(i * bar).toFixed(1)}" y="${height - 4}" text-anchor="middle">${label(i)}</text>`,
  );
  const filter = (((least - from) / step) * bar).toFixed(1);
  const line = `<line x1="${filter}" x2="${filter}" y1="0" y2="${height - bottom}" stroke="#c8743c" stroke-dasharray="3 2"/>`;
  return `<svg viewBox="-14 0 ${width + 30} ${height}" role="img">${back.map((share, i) => rect(share, i, MEASURED, 0.5)).join("")}${front
    .map((share, i) => rect(share, i, KEPT, bar * 0.22))
    .join("")}${line}${ticks.join("")}</svg>`;
}

/** Counts by yaw and pitch as a map of shades, the counts written in. */
export function posesSvg(counts: SetSummary["poses"]["kept"]): string {
  const [cell, left] = [34, 34];
  const most = Math.max(...counts.flat(), 1);
  const [rows, columns] = [counts.length, counts[0].length];
  const cells = counts.flatMap((line, y) =>
    line.map((count, x) => {
      const opacity = count === 0 ? 0 : 0.12 + 0.88 * Math.sqrt(count / most);
      const place = `x="${left + x * cell}" y="${y * 24}"`;
      const text =
        count > 0 ? `<text x="${left + (x + 0.5) * cell}" y="${y * 24 + 16}" text-anchor="middle">${count}</text>` : "";
      return `<rect ${place} width="${cell - 1}" height="23" fill="${KEPT}" fill-opacity="${opacity.toFixed(3)}" stroke="#8884" stroke-width="0.5"/>${text}`;
    }),
  );
  const yaws = Array.from({ length: columns + 1 }, (_, x) => x)
    .filter((x) => x % 2 === 0)
    .map(
      (x) => `<text x="${left + x * cell}" y="${rows * 24 + 14}" text-anchor="middle">${x * POSE_STEP - 90}°</text>`,
    );
  const pitches = Array.from({ length: rows + 1 }, (_, y) => y).map(
    (y) => `<text x="${left - 4}" y="${y * 24 + 4}" text-anchor="end">${45 - y * POSE_STEP}°</text>`,
  );
  return `<svg viewBox="0 -8 ${left + columns * cell + 20} ${rows * 24 + 28}" role="img">${cells.join("")}${yaws.join("")}${pitches.join("")}</svg>`;
}

export const legend = `<p class="legend"><i style="background:${MEASURED}"></i>all measured faces <i style="background:${KEPT}"></i>kept faces <i style="background:#c8743c;width:2px"></i>the filter</p>`;
