import { KeyedRandom } from "../../random.ts";
import { Backdrop, enlarge } from "../backdrop.ts";
import type { Frame } from "../frame.ts";
import { PAINTERS } from "./painters.ts";
import type { SceneView } from "./scene-view.ts";

/** Places are painted at this size, whatever the picture's. */
const SIDE = 128;
const LAMPLIT = [1.15, 0.8, 0.5] as const;

/** Paints the place of a scene wherever a frame shows nothing else, in the scene's light. */
export function paintPlace({ seed, truth, background }: SceneView, frame: Frame): void {
  const b = new Backdrop(SIDE);
  PAINTERS[truth.place](b, new KeyedRandom(seed, 0x97ace));
  const night = truth.place === "city at night";
  const cast = truth.light === "evening" && !night ? LAMPLIT : [1, 1, 1];
  for (let i = 0; i < b.pixels.length; i++) b.pixels[i] *= cast[i % 3];
  const radius = Math.round(background.blur * SIDE);
  if (radius > 0) b.blur(radius);
  enlarge(b, night ? background.gain * 1.6 : background.gain, frame);
}
