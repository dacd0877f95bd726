import { KeyedRandom } from "../../random.ts";
import { EXPRESSIONS } from "../expressions.ts";
import { drawLightOf, frontalLight } from "../light.ts";
import type { Person } from "../person.ts";
import { drawView, type View } from "../view.ts";
import { drawTruth, type SceneTruth, type TruthOptions } from "./truth.ts";

/** A person in a scene: a view, what can be said of it, and how the arms hang. */
export interface SceneView extends View {
  truth: SceneTruth;
  /** How far the arms are lowered from the model's own pose, degrees: left and right. */
  arms: [number, number];
  /** Chooses among the garments that a word stands for. */
  cut: number;
}

/** Half height of the picture over the face's size. */
const EXTENTS = { "close-up": [2.1, 2.6], "head and shoulders": [2.9, 3.7], "half figure": [4.3, 5.4] } as const;
/** How high the face lies, in half pictures. */
const HEIGHTS = { "close-up": 0.02, "head and shoulders": 0.2, "half figure": 0.4 } as const;
/** A hat wants room above. */
const HAT_ROOM = 0.1;
const SIDES = { left: -1, centre: 0, right: 1 } as const;
/** How bright a place is behind a person who is well exposed. */
const BRIGHTNESS: Readonly<Record<string, number>> = { evening: 0.5, backlight: 1.5, studio: 0.6, sunny: 1.15 };

/** Where in a picture the face lies: half the picture's height over the face's size, and how far from its middle, in half pictures (right, up). */
export type Framed = Pick<View, "extent" | "shift">;

/** Draws where a face lies in a picture of such a framing. */
export function drawFramed(
  r: KeyedRandom,
  { framing, side, hat }: Pick<SceneTruth, "framing" | "side" | "hat">,
): Framed {
  const [least, most] = EXTENTS[framing];
  const wander = framing === "close-up" ? 0.6 : 1;
  return {
    extent: r.range(least, most),
    shift: [
      SIDES[side] * r.range(0.25, 0.42) * wander + r.spread(0.03, 0.07),
      HEIGHTS[framing] - (hat === "none" ? 0 : HAT_ROOM) + r.spread(0.04, 0.08),
    ],
  };
}

/** Draws scene `image` of a person; depends on the person's seed and number and the scene's number alone. */
export function drawSceneView(person: Person, image: number, options: TruthOptions): SceneView {
  const r = new KeyedRandom(person.seed, person.identity, image, 0x5ce2e);
  const truth = drawTruth(r, options);
  const light = drawLightOf(r, truth.light);
  const albedo = person.macro.origin[0] > 0.5 ? 0.13 : 0.36;
  const target = Math.exp(r.spread(0.1, 0.22)) * 0.56 * (albedo / 0.36) ** -0.38;
  const exposure = (1.7 * target) / Math.max(0.12, frontalLight(light));
  const yaw = r.chance(0.65) ? r.spread(9, 20) : r.spread(26, 45);
  return {
    ...drawView(person, image),
    seed: r.below(2 ** 31),
    yaw,
    pitch: r.spread(6, 14) - 1,
    roll: r.spread(5, 12),
    body: [r.range(0.3, 0.95), r.range(0, 0.4)],
    expression: truth.expression,
    units: EXPRESSIONS[truth.expression].draw(r),
    gaze: [Math.max(-22, Math.min(22, -yaw * r.range(0.3, 0.9))), r.spread(3, 6)],
    fov: Math.exp(r.range(Math.log(14), Math.log(32))),
    ...drawFramed(r, truth),
    light,
    exposure,
    background: {
      kind: "plain",
      blur: r.range(0, 0.012),
      tint: [1, 1, 1],
      gain: ((BRIGHTNESS[truth.light] ?? 0.85) * r.range(0.85, 1.15)) / exposure,
    },
    glasses: truth.glasses,
    noise: r.range(0.2, 1.4),
    sharpen: r.range(-0.1, 0.4),
    truth,
    arms: [r.range(20, 32), r.range(20, 32)],
    cut: r.below(2 ** 16),
  };
}
