import { Option } from "@commander-js/extra-typings";
import { distributed } from "@omni-id/torch";
import { SOLO, type Team, teamOf } from "../train/team.ts";
import { givenWords } from "./given-words.ts";
import { count, whole } from "./options.ts";
import { EXIT, Interrupted, interruptible, note } from "./output.ts";
import { BIN } from "./own-process.ts";

/** Options of a command that several processes can do together. */
export const processesOptions = () => [
  new Option("--processes <number>", "processes on this machine that share each batch").argParser(count),
  new Option("--restarts <number>", "with --processes: start all again from the last checkpoint, so often at most")
    .argParser(whole)
    .default(3),
  new Option(
    "--divide-state",
    "divide the optimisers' state among the processes (ZeRO-1): less memory, one more exchange",
  ),
  new Option("--timeout <seconds>", "with several processes: how long one may be late before it counts as lost")
    .argParser(count)
    .default(600),
];

/** What {@link processesOptions} were given. */
export interface ProcessesChosen {
  processes?: number;
  restarts: number;
  divideState?: boolean;
  timeout: number;
}

/** The same as words of a command line, for a command that starts others; none where one process does it. */
export function processesArguments({ processes = 1, restarts, divideState, timeout }: ProcessesChosen): string[] {
  if (processes === 1) return [];
  const numbers = ["--processes", `${processes}`, "--restarts", `${restarts}`, "--timeout", `${timeout}`];
  return divideState ? [...numbers, "--divide-state"] : numbers;
}

/** Whether torchrun, srun or `--processes` started this process as one of several. */
export const isOneOfSeveral = () => (distributed.rendezvousOf()?.worldSize ?? 1) > 1;

/** This process's number among those of its machine, and how many these are. */
export function ownPlace(): { localRank: number; localCount: number } {
  const { localRank = 0, worldSize = 1 } = distributed.rendezvousOf() ?? {};
  const told = Number(process.env.LOCAL_WORLD_SIZE ?? process.env.SLURM_NTASKS_PER_NODE);
  return { localRank, localCount: Math.max(localRank + 1, told > 0 ? told : worldSize) };
}

/** The card of this process, where all were told "cuda". */
export function ownDevice(device: string): string {
  return device === "cuda" && isOneOfSeveral() ? `cuda:${distributed.rendezvousOf()?.localRank ?? 0}` : device;
}

/**
 * The processes that train together with this one.
 * @throws when one of them does not come
 */
export async function openTeam({
  device,
  divideState = false,
  timeout,
}: {
  device: string;
  divideState?: boolean;
  timeout: number;
}): Promise<{ team: Team; close: () => Promise<void> }> {
  if (!isOneOfSeveral()) return { team: SOLO, close: async () => {} };
  const group = await distributed.init({ device: ownDevice(device), timeout });
  return { team: teamOf(group, { divide: divideState }), close: () => group.close() };
}

/**
 * Does this command line in several processes, each with its share of the threads. When one ends badly all are started
 * again, with `--resume`.
 * @throws Interrupted after Ctrl-C, and an Error when it failed more often than it may
 */
export async function runProcesses({
  processes,
  restarts,
  threads,
}: {
  processes: number;
  restarts: number;
  threads?: number;
}): Promise<void> {
  const given = withoutOptions(givenWords(), ["--processes", "--restarts", "--threads"]);
  const resumes = given.some((word) => /^--resume(=|$)/.test(word));
  const { signal, release } = interruptible();
  const { code, attempts, reason } = await distributed
    .launch({
      processes,
      restarts,
      threads,
      command: process.execPath,
      args: (attempt) => [BIN, ...(attempt === 0 ? given : goingOn(given, resumes))],
      final: [EXIT.interrupted, EXIT.usage],
      signal,
      note,
      onLine: (rank, line, stream) => {
        if (rank > 0) process.stderr.write(`rank ${rank} │ ${line}\n`);
        else process[stream].write(`${line}\n`);
      },
    })
    .finally(release);
  if (signal.aborted || code === EXIT.interrupted) throw new Interrupted();
  if (code !== 0) {
    const starts = attempts === 1 ? "" : `, after ${attempts} starts`;
    throw new Error(`${reason}${starts}; what it said stands above, and the same command with --resume goes on`);
  }
}

/** A later start goes on from the newest checkpoint, whichever the first one was told. */
function goingOn(given: readonly string[], resumes: boolean): string[] {
  return [...(resumes ? withoutOptions(given, ["--resume"]) : given), "--resume"];
}

/** A command line without some options and their values. */
function withoutOptions(words: readonly string[], names: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const name = words[i].split("=")[0];
    if (!names.includes(name)) kept.push(words[i]);
    else if (words[i] === name && words[i + 1] !== undefined && !words[i + 1].startsWith("-")) i++;
  }
  return kept;
}
