// What the tables of numbers are made with.

export const fixed = (value, digits = 3) => value.toFixed(digits);
export const percent = (share) => `${Math.round(100 * share)} %`;
/** A mean with its interval: "0.403 (0.391–0.415)". */
export const interval = ({ mean, ci }, digits = 3) =>
  `${fixed(mean, digits)} (${ci.map((value) => fixed(value, digits)).join("–")})`;

/** A Markdown table whose columns stand below each other, as the formatter wants it. */
export function table(head, rows) {
  const widths = head.map((_, column) => Math.max(3, ...[head, ...rows].map((cells) => [...cells[column]].length)));
  const padded = (cells) => cells.map((cell, column) => cell + " ".repeat(widths[column] - [...cell].length));
  const rule = widths.map((width) => "-".repeat(width));
  return [padded(head), rule, ...rows.map(padded)].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
/** Where a result comes from, in words. */
export const source = ({ commit, date, hardware }, seed) =>
  [`commit ${commit}`, seed === undefined ? "" : `seed ${seed}`, date, hardware].filter(Boolean).join(", ");
