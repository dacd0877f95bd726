// What the tables of numbers are made with.

export const fixed = (value, digits = 3) => value.toFixed(digits);
export const percent = (share) => `${Math.round(100 * share)} %`;
/** A mean with its interval: "0.403 (0.391–0.415)". */
export const interval = ({ mean, ci }, digits = 3) =>
  `${fixed(mean, digits)} (${ci.map((value) => fixed(value, digits)).join("–")})`;

/** A share with its interval: "57 % (54–60)". */
export const share = ({ mean, ci }) => `${percent(mean)} (${ci.map((value) => Math.round(100 * value)).join("–")})`;
/** A difference with its interval, signs told: "−0.012 (−0.015 to −0.009)". */
export function signed({ mean, ci }, { digits = 3, percent: points = false } = {}) {
  const one = (value) => {
    const text = points ? fixed(Math.abs(100 * value), 0) : fixed(Math.abs(value), digits);
    return `${value < 0 ? "−" : "+"}${text}`;
  };
  return `${one(mean)}${points ? " points" : ""} (${ci.map(one).join(" to ")})`;
}

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
