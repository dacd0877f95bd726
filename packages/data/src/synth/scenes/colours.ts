import type { Colour } from "../person.ts";
import type { ColourName } from "./truth.ts";

/** The colours that a sentence can name, in linear light. */
export const CLOTH: Readonly<Record<ColourName, Colour>> = {
  red: [0.5, 0.025, 0.03],
  orange: [0.75, 0.22, 0.025],
  yellow: [0.8, 0.58, 0.05],
  green: [0.04, 0.26, 0.06],
  blue: [0.03, 0.1, 0.5],
  purple: [0.19, 0.045, 0.36],
  pink: [0.8, 0.27, 0.42],
  white: [0.82, 0.82, 0.8],
  grey: [0.23, 0.23, 0.235],
  black: [0.018, 0.018, 0.02],
  brown: [0.16, 0.075, 0.032],
};
