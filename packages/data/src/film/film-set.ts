import { KeyedRandom } from "../random.ts";
import type { Actor, Film, Shot } from "./film.ts";

export interface FilmSetOptions {
  seed: number;
  /** Films of each kind. */
  rounds: number;
  height?: number;
  fps?: number;
  /** Length of a shot is multiplied by this. */
  pace?: number;
}

/** Rates of x264 that the films go through, from nearly clean to coarse. */
const RATES = [18, 23, 28, 33];

/**
 * Films of all that a curation has to cope with: a head that turns, one that mostly looks into the camera, two people
 * together, cuts to another person and back, somebody who leaves and returns, changing light, motion blur, and a video
 * in which one person is seen twice in other clothes. Every film has people of its own. The same seed gives the same
 * films.
 */
export function drawFilmSet({ seed, rounds, height = 240, fps = 10, pace = 1 }: FilmSetOptions): Film[] {
  const films: Film[] = [];
  let identity = 0;
  for (let round = 0; round < rounds; round++) {
    const r = new KeyedRandom(seed, round, 0xf11e);
    const actor = (who: number, motion: Actor["motion"], extra: Partial<Actor> = {}): Actor => ({
      ...{ seed, identity: who, look: 0, motion },
      ...extra,
    });
    const add = (kind: string, people: number, make: (first: number) => Shot[]) => {
      const shots = make(identity).map((shot) => ({ ...shot, seconds: shot.seconds * pace }));
      identity += people;
      films.push({ name: `${kind}-${round}`, height, fps, crf: RATES[(round + films.length) % RATES.length], shots });
    };
    add("turns", 1, (a) => [{ seconds: 5, actors: [actor(a, "turns")] }]);
    add("interview", 1, (a) => [{ seconds: 12, actors: [actor(a, "talks")] }]);
    add("together", 2, (a) => [{ seconds: 5, actors: [actor(a, "turns"), actor(a + 1, "talks", { flicker: 0.3 })] }]);
    add("cuts", 2, (a) => [
      { seconds: 3, actors: [actor(a, "turns")] },
      { seconds: 3.4, actors: [actor(a + 1, "turns", { flicker: 0.3 })] },
      { seconds: 2, actors: [actor(a, "talks")] },
    ]);
    add("leaves", 1, (a) => [{ seconds: 6, actors: [actor(a, "turns", { away: [2 * pace, 3 * pace] })] }]);
    add("shakes", 1, (a) => [
      { seconds: 2.4, actors: [actor(a, "shakes")] },
      { seconds: 3, actors: [actor(a, "turns", { flicker: r.range(0.2, 0.5) })] },
    ]);
    add("again", 2, (a) => [
      { seconds: 3, actors: [actor(a, "turns")] },
      { seconds: 3, actors: [actor(a + 1, "turns"), actor(a, "talks", { look: 1 })] },
    ]);
  }
  return films;
}
