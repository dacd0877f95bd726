import { KeyedRandom } from "../random.ts";
import { EXPRESSIONS, type Units } from "../synth/expressions.ts";
import type { Person } from "../synth/person.ts";
import { drawView, type View } from "../synth/view.ts";
import type { Actor } from "./film.ts";

interface Motion {
  /** Furthest yaw, pitch and roll, degrees. */
  reach: [number, number, number];
  /** Seconds between two poses. */
  pause: [number, number];
  /** Share of the poses that reach further, and how much further. */
  glances?: [number, number];
}

const MOTIONS: Readonly<Record<Actor["motion"], Motion>> = {
  still: { reach: [3, 2, 1], pause: [0.8, 1.6] },
  // Most of an interview looks into the camera; now and then a head turns aside.
  talks: { reach: [12, 6, 4], pause: [0.4, 0.9], glances: [0.2, 3] },
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
    const { reach, pause, glances: [share, further] = [0, 1] } = MOTIONS[actor.motion];
    const expressions = Object.entries(EXPRESSIONS).map(([name, { weight }]) => [name, weight] as const);
    this.#keys = [];
    for (let t = 0; t < seconds + pause[1]; t += r.range(...pause)) {
      const expression = r.weighted(expressions);
      const far = r.chance(share) ? further : 1;
      const pose = reach.map((most) => r.range(-most, most) * far) as Key["pose"];
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
