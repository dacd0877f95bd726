/** A report's figures in one line, for under its picture. */
export function figuresLine(metrics: Readonly<Record<string, number>>, digits = 3): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${value.toFixed(digits)}`)
    .join(" · ");
}
