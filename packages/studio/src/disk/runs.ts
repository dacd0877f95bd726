import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import type { LogLine, Run } from "./run-types.ts";

const LOG = "log.jsonl";
const DEPTH = 3;
/** As many lines of a kind as a curve shows. */
const MOST_LINES = 1500;
const LARGEST_LOG = 200_000_000;

/** Trainings under a folder, the latest first. */
export function listRuns(folder: string): Run[] {
  const found: Run[] = [];
  const look = (at: string, depth: number) => {
    const log = statSync(join(at, LOG), { throwIfNoEntry: false });
    if (log?.isFile()) found.push({ name: relative(folder, at) || ".", changed: log.mtimeMs });
    if (depth === DEPTH) return;
    for (const entry of entriesOf(at)) {
      if (entry.isDirectory() && !entry.name.startsWith(".")) look(join(at, entry.name), depth + 1);
    }
  };
  look(folder, 0);
  return found.sort((a, b) => b.changed - a.changed);
}

/** Curves and pictures of a run that {@link listRuns} found. A line that is being written is left out. */
export function readRun(folder: string, name: string): { lines: LogLine[]; pictures: string[] } {
  const at = join(folder, name);
  const log = join(at, LOG);
  if (statSync(log).size > LARGEST_LOG) throw new Error(`${log}: larger than a log that can be shown`);
  const lines = readFileSync(log, "utf8")
    .split("\n")
    .flatMap((line) => parseLine(line));
  const pictures = entriesOf(at)
    .filter((entry) => entry.isFile() && /^held-out-\d+\.png$/.test(entry.name))
    .map((entry) => entry.name)
    .sort();
  return { lines: thinned(lines), pictures };
}

function parseLine(line: string): LogLine[] {
  try {
    const value = JSON.parse(line) as Partial<LogLine> | null;
    return typeof value?.kind === "string" && Number.isFinite(value.step) ? [value as LogLine] : [];
  } catch {
    return []; // cut off by a kill, or half written
  }
}

/** Every n-th line of each kind, so that a long run is a curve and no flood; the last ones stay. */
function thinned(lines: readonly LogLine[]): LogLine[] {
  const kinds = new Map<string, LogLine[]>();
  for (const line of lines) {
    const own = kinds.get(line.kind);
    if (own) own.push(line);
    else kinds.set(line.kind, [line]);
  }
  return [...kinds.values()].flatMap((all) => {
    const every = Math.ceil(all.length / MOST_LINES);
    return all.filter((_, i) => (all.length - 1 - i) % every === 0);
  });
}

export function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return []; // no such folder, or none of ours
  }
}
