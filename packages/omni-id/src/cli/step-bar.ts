import { SingleBar } from "cli-progress";

/** Progress over the steps of a solver, where somebody watches. */
export function stepBar(steps: number): SingleBar | undefined {
  if (!process.stderr.isTTY) return undefined;
  const bar = new SingleBar({ format: "{bar} step {value}/{total} · {eta_formatted} left", hideCursor: true });
  bar.start(steps, 0);
  return bar;
}
