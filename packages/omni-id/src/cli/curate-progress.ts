import type { SetProgress } from "@omni-id/data";
import { SingleBar } from "cli-progress";

const STEPS = 1000;
/** A log gets a line at most every so many milliseconds. */
const QUIET = 15_000;

/** What is counted. */
export interface Counted {
  sources: string;
  frames: string;
}

/** Progress of a set that is made: a bar on a terminal, now and then a line in a log. */
export function setProgress({ sources, frames }: Counted): {
  update: (progress: SetProgress) => void;
  stop: () => void;
} {
  const { stderr } = process;
  if (!stderr.isTTY) {
    let told = Number.NEGATIVE_INFINITY;
    let last = "";
    const update = (progress: SetProgress) => {
      const { done, total } = progress.videos;
      if (performance.now() - told < QUIET && done < total) return;
      const line = `${done} of ${total} ${sources} · ${describe(progress, frames)}\n`;
      if (line === last) return;
      told = performance.now();
      last = line;
      stderr.write(line);
    };
    return { update, stop: () => {} };
  }
  const bar = new SingleBar({ format: "{bar} {percentage} % · {told}", hideCursor: true });
  let started = false;
  const update = (progress: SetProgress) => {
    const told = `${progress.videos.done}/${progress.videos.total} ${sources} · ${describe(progress, frames)}`;
    if (!started) bar.start(STEPS, 0, { told });
    started = true;
    bar.update(Math.round(progress.share * STEPS), { told });
  };
  return { update, stop: () => bar.stop() };
}

function describe({ framesPerSecond, people, pictures, secondsLeft }: SetProgress, frames: string): string {
  const left = secondsLeft === undefined ? "" : ` · ${duration(secondsLeft)} left`;
  return `${framesPerSecond.toFixed(1)} ${frames}/s · ${people} people · ${pictures} faces${left}`;
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
