import type { Colour } from "../person.ts";
import type { Texture } from "../texture.ts";
import { CLOTH } from "./colours.ts";
import type { ColourName, Pattern } from "./truth.ts";

const SIDE = 64;
/** How wide the texture is on the cloth, decimetres. */
export const PATTERN_WIDTH = 1.1;

/** Whether a place of the texture (0…1) has the second colour: 0, a half where two bands cross, or 1. */
const SECOND: Readonly<Record<Exclude<Pattern, "plain">, (u: number, v: number) => number>> = {
  striped: (_u, v) => Number((v * 2) % 1 < 0.42),
  checked: (u, v) => (Number((u * 2) % 1 < 0.5) + Number((v * 2) % 1 < 0.5)) / 2,
  dotted: (u, v) => {
    const row = Math.floor(v * 3);
    const x = ((u * 3 + (row % 2) / 2) % 1) - 0.5;
    return Number(Math.hypot(x, ((v * 3) % 1) - 0.5) < 0.3);
  },
};

/** The colour beside a pattern's own: white, and black on what is light. */
export const secondColour = (colour: ColourName): Colour =>
  CLOTH[colour === "white" || colour === "yellow" ? "black" : "white"];

/** A repeating texture of a patterned cloth. */
export function patternTexture(pattern: Exclude<Pattern, "plain">, colour: ColourName): Texture {
  const one = CLOTH[colour];
  const two = secondColour(colour);
  const data = new Float32Array(SIDE * SIDE * 4);
  for (let y = 0, at = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++, at += 4) {
      const share = SECOND[pattern]((x + 0.5) / SIDE, (y + 0.5) / SIDE);
      for (let k = 0; k < 3; k++) data[at + k] = one[k] + (two[k] - one[k]) * share;
      data[at + 3] = 1;
    }
  }
  return { width: SIDE, height: SIDE, data };
}
