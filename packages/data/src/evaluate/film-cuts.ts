import type { FrameTruth } from "../film/film.ts";
import { type Rate, rate } from "../statistics.ts";
import { type MatchedFilm, VISIBLE } from "./film-truth.ts";

/** How well cuts are seen, and what the mistakes can do. */
export interface CutReport {
  /** Cuts to other people that were seen: a track across one of these would mix them. */
  toOthers: Rate;
  /** Jumps within a scene, from the same people to the same people, that were seen: nobody has to. */
  jumps: Rate;
  /** Seen cuts that are cuts. */
  precision: Rate;
  /** Times that somebody wholly visible goes on from one look to the next, and a cut was seen between them. */
  torn: Rate;
}

/** A cut is told at the first frame that was looked at after it. */
export function compareCuts(films: readonly MatchedFilm[]): CutReport {
  const [toOthers, jumps, seen, torn]: boolean[][] = [[], [], [], []];
  for (const { truth, outcome, looked } of films) {
    const told = new Set(outcome.clips.flatMap(({ cuts }) => cuts.map((t) => Math.round(t * truth.film.fps))));
    for (const [i, at] of looked.slice(1).entries()) {
      const [before, after] = [truth.frames[looked[i]], truth.frames[at]];
      const cut = before.shot !== after.shot;
      const isTold = told.has(at);
      if (cut) (cast(before) === cast(after) ? jumps : toOthers).push(isTold);
      if (isTold) seen.push(cut);
      if (!cut) for (const _ of staying(before, after)) torn.push(isTold);
    }
  }
  return { toOthers: rate(toOthers), jumps: rate(jumps), precision: rate(seen), torn: rate(torn) };
}

const cast = ({ faces }: FrameTruth) => faces.map(({ person }) => person).join(" ");

const visible = ({ faces }: FrameTruth) => faces.filter((face) => face.visible >= VISIBLE).map(({ person }) => person);

function staying(before: FrameTruth, after: FrameTruth): string[] {
  const still = visible(after);
  return visible(before).filter((person) => still.includes(person));
}
