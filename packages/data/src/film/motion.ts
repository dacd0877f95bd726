import { KeyedRandom } from "../random.ts";
import { EXPRESSIONS, type Units } from "../synth/expressions.ts";
import type { Person } from "../synth/person.ts";
import { drawView, type View } from "../synth/view.ts";
import type { Actor } from "./film.ts";

/** Reach of the head (yaw, pitch, roll, degrees) and seconds between two poses, by kind of motion. */
const MOTIONS: Readonly<Record<Actor["motion"], { reach: [number, number, number]; pause: [number, number] }>> = {
  still: { reach: [3, 2, 1], pause: [0.8, 1.6] },
  talks: { reach: [16, 8, 5], pause: [0.4, 0.9] },
  turns: { reach: [48, 17, 8], pause: [0.5, 1] },
  shakes: { reach: [35, 8, 8], pause: [0.12, 0.25] },
};

interface Key {
  t: number;
  pose: [number, number, number];
  expression: string;
  units: Units;
}

/** How a person moves through a shot: the view at any second, from keys that are drawn once. */
export class Performance {
  readonly #base: View;
  readonly #actor: Actor;
  readonly #keys: Key[];

  /** @param shot number of the shot, so that a person moves differently in each */
  constructor(person: Person, actor: Actor, shot: number, seconds: number) {
    this.#base = drawView(person, actor.look);
    this.#actor = actor;
    const r = new KeyedRandom(person.seed, person.identity, actor.look, shot, 0xf113);
    const { reach, pause } = MOTIONS[actor.motion];
    const expressions = Object.entries(EXPRESSIONS).map(([name, { weight }]) => [name, weight] as const);
    this.#keys = [];
    for (let t = 0; t < seconds + pause[1]; t += r.range(...pause)) {
      const expression = r.weighted(expressions);
      const pose = reach.map((most) => r.range(-most, most)) as Key["pose"];
      this.#keys.push({ t, pose, expression, units: EXPRESSIONS[expression].draw(r) });
    }
  }

  /** @param frame number of the frame: its grain */
  viewAt(t: number, frame: number): View {
    const keys = this.#keys;
    const next = Math.max(
      1,
      keys.findIndex((key) => key.t > t) < 0 ? keys.length - 1 : keys.findIndex((key) => key.t > t),
    );
    const [a, b] = [keys[next - 1], keys[next]];
    const share = ease((t - a.t) / (b.t - a.t));
    const [yaw, pitch, roll] = a.pose.map((value, i) => value + (b.pose[i] - value) * share);
    const base = this.#base;
    const { flicker = 0, away } = this.#actor;
    return {
      ...base,
      yaw,
      pitch,
      roll,
      expression: (share < 0.5 ? a : b).expression,
      units: blend(a.units, b.units, share),
      exposure: base.exposure * (1 + flicker * Math.sin(4 * t)),
      shift: [base.shift[0] + (away ? 2.4 * absence(t, away) : 0), base.shift[1]],
      frame,
    };
  }
}

/** Slow at both ends. */
const ease = (x: number) => {
  const t = Math.max(0, Math.min(1, x));
  return t * t * (3 - 2 * t);
};

/** 0 in the picture, 1 out of it; the way takes 0.4 seconds. */
function absence(t: number, [from, to]: [number, number]): number {
  return ease((t - from) / 0.4) * (1 - ease((t - to) / 0.4));
}

function blend(a: Units, b: Units, share: number): Units {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...names].map((name) => [name, (a[name] ?? 0) * (1 - share) + (b[name] ?? 0) * share]));
}
