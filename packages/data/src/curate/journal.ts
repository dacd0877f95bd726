import { appendFileSync, existsSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Clip } from "./clip.ts";
import { type FrameSeen, frameLine, parseFrame } from "./observation.ts";
import type { Turn } from "./video/turn.ts";

/** How the observation of a clip ended. */
export interface ClipEnd {
  /** Frames that were looked at. */
  frames: number;
  /** Why the clip is of no use, wholly. */
  refused?: string;
  /** What else is to be known, such as an early end. */
  note?: string;
}

/**
 * What was seen in a clip so far, a line a frame, as a file that grows. A run that was killed goes on after its last
 * whole line; lines of another file, clip or recipe are thrown away.
 */
export class ClipJournal {
  readonly path: string;
  readonly frames: FrameSeen[] = [];
  end?: ClipEnd;
  /** How the film was found to lie: the frames are those of the upright one. */
  turn?: Turn;

  private constructor(path: string) {
    this.path = path;
  }

  /** @param recipe hash of all that frames are observed by */
  static open(path: string, clip: Clip, recipe: string): ClipJournal {
    const journal = new ClipJournal(path);
    const header = JSON.stringify({ clip, recipe, file: fileState(clip.path) });
    if (!journal.#read(header)) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, `${header}\n`);
    }
    return journal;
  }

  /** Takes over the lines that are whole, and cuts off what is behind them. */
  #read(header: string): boolean {
    if (!existsSync(this.path)) return false;
    const text = readFileSync(this.path, "utf8");
    if (!text.startsWith(`${header}\n`)) return false;
    let at = header.length + 1;
    for (let next = text.indexOf("\n", at); next >= 0 && !this.end; next = text.indexOf("\n", at)) {
      try {
        this.#take(text.slice(at, next));
      } catch {
        break;
      }
      at = next + 1;
    }
    truncateSync(this.path, Buffer.byteLength(text.slice(0, at)));
    return true;
  }

  #take(line: string): void {
    const { end, turn } = JSON.parse(line) as { end?: ClipEnd; turn?: Turn };
    if (end) this.#close(end);
    else if (turn) this.#turned(turn);
    else {
      const frame = parseFrame(line);
      const last = this.frames.at(-1);
      if (last && frame.n <= last.n) throw new Error("out of order");
      this.frames.push(frame);
    }
  }

  /** Adds a frame. What later stages see is what the line says, resumed or not. */
  add(frame: FrameSeen): FrameSeen {
    const line = frameLine(frame);
    appendFileSync(this.path, `${line}\n`);
    const kept = parseFrame(line);
    this.frames.push(kept);
    return kept;
  }

  /** The film lies so: it is looked at anew, upright. */
  turnBy(turn: Turn): void {
    appendFileSync(this.path, `${JSON.stringify({ turn })}\n`);
    this.#turned(turn);
  }

  #turned(turn: Turn): void {
    this.turn = turn;
    this.frames.length = 0;
  }

  finish(end: ClipEnd): void {
    appendFileSync(this.path, `${JSON.stringify({ end })}\n`);
    this.#close(end);
  }

  /** Nothing is taken from a clip that was refused, were it halfway. */
  #close(end: ClipEnd): void {
    this.end = end;
    if (end.refused) this.frames.length = 0;
  }
}

/** Tells a file from one that took its place. */
function fileState(path: string): [number, number] | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat ? [stat.size, Math.round(stat.mtimeMs)] : null;
}
