import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeAtomically } from "@omni-id/torch";
import { SingleBar } from "cli-progress";
import { EventFile } from "./tensorboard.ts";

type Figures = Record<string, number>;

/**
 * What a run tells: a bar on a terminal, plain lines in a log, `log.jsonl` for programs, TensorBoard event files.
 * Loss figures between two lines are averaged.
 */
export class RunLog {
  readonly #out: string;
  readonly #file: string;
  readonly #write: (text: string) => void;
  readonly #bar: SingleBar | undefined;
  #events: EventFile | undefined;
  #sums: Figures = {};
  #count = 0;
  #began = 0;
  #lineAt = 0;
  #from = 0;
  #to = 0;

  constructor(out: string, { stream = process.stderr }: { stream?: NodeJS.WriteStream } = {}) {
    this.#out = out;
    this.#file = join(out, "log.jsonl");
    this.#write = (text) => stream.write(text);
    if (stream.isTTY) {
      const format = "{bar} {value}/{total} · {seconds} s/step · {eta_formatted} left · {text}";
      this.#bar = new SingleBar({ format, stream, hideCursor: true, etaBuffer: 50 });
    }
  }

  start({ from, to }: { from: number; to: number }): void {
    mkdirSync(this.#out, { recursive: true });
    this.#forgetAfter(from);
    this.#events = new EventFile(join(this.#out, "tensorboard"));
    this.#from = from;
    this.#to = to;
    this.#began = performance.now();
    this.#lineAt = this.#began;
    this.#bar?.start(to, from, { seconds: "–", text: "" });
  }

  /** Takes a step's figures. */
  step(step: number, figures: Figures): void {
    this.#count++;
    for (const [name, value] of Object.entries(figures)) this.#sums[name] = (this.#sums[name] ?? 0) + value;
    this.#bar?.update(step, { seconds: this.#seconds(step).toFixed(2) });
  }

  /** Prints and stores what came since the last line. */
  line(step: number, probe: Figures): void {
    const figures: Figures = {};
    for (const [name, sum] of Object.entries(this.#sums)) figures[name] = sum / this.#count;
    Object.assign(figures, probe);
    this.#sums = {};
    this.#count = 0;
    const now = performance.now();
    this.#store("train", step, { ...figures, seconds: (now - this.#lineAt) / 1000 });
    this.#lineAt = now;
    const text = format(figures);
    if (this.#bar) this.#bar.update(step, { text });
    else {
      const seconds = this.#seconds(step);
      const left = duration(seconds * (this.#to - step));
      this.#write(`step ${step}/${this.#to} · ${seconds.toFixed(2)} s/step · ${left} left · ${text}\n`);
    }
  }

  heldOut(step: number, figures: Figures): void {
    this.#store("held-out", step, figures);
    this.#write(`${this.#bar ? "\n" : ""}held out at step ${step}: ${format(figures) || "a picture"}\n`);
  }

  note(text: string): void {
    this.#write(`${text}\n`);
  }

  end({ step, interrupted }: { step: number; interrupted: boolean }): void {
    this.#bar?.stop();
    this.#events?.close();
    this.#write(
      interrupted
        ? `stopped after step ${step}; the checkpoint is saved. Go on with the same command and --resume\n`
        : `done: ${step} steps in ${duration((performance.now() - this.#began) / 1000)}\n`,
    );
  }

  /** Seconds that the run has taken, those before it was stopped and resumed included. */
  totalSeconds(): number {
    return this.#lines().reduce((sum, { seconds = 0 }) => sum + seconds, 0);
  }

  #seconds(step: number): number {
    return (performance.now() - this.#began) / 1000 / Math.max(1, step - this.#from);
  }

  #store(kind: string, step: number, figures: Figures): void {
    appendFileSync(this.#file, `${JSON.stringify({ kind, step, ...figures })}\n`);
    const tagged = Object.entries(figures).map(([name, value]) => [`${kind}/${name}`, value]);
    this.#events?.scalars(step, Object.fromEntries(tagged));
  }

  /** A killed run has logged steps after its last checkpoint; they are about to be done again. */
  #forgetAfter(step: number): void {
    const lines = this.#lines().filter((line) => line.step <= step);
    writeAtomically(this.#file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  }

  #lines(): LogLine[] {
    if (!existsSync(this.#file)) return [];
    return readFileSync(this.#file, "utf8")
      .split("\n")
      .flatMap((line) => {
        try {
          return [JSON.parse(line) as LogLine];
        } catch {
          return []; // cut off by a kill
        }
      });
  }
}

/** What the training loop tells to. */
export type TrainLog = Pick<RunLog, "start" | "step" | "line" | "heldOut" | "note" | "end">;

/** For the processes of a team that do not lead. */
export const SILENT_LOG: TrainLog = {
  start: () => {},
  step: () => {},
  line: () => {},
  heldOut: () => {},
  note: () => {},
  end: () => {},
};

interface LogLine {
  kind: string;
  step: number;
  /** Since the line before, for lines of the training. */
  seconds?: number;
}

function format(figures: Figures): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${value.toPrecision(4)}`)
    .join(" · ");
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
