import { readFileSync } from "node:fs";
import type { HeldOut, SceneTruth } from "./truth.ts";

/** What is held out unless told otherwise: each word is seen often, these pairs never. */
export const HELD_OUT_WORDS: HeldOut = [
  { hatColour: "red", setting: "outdoors" },
  { garmentColour: "green", pattern: "striped" },
  { garment: "jumper", place: "beach" },
  { hat: "beanie", glasses: true },
  { expression: "laugh", place: "office" },
  { garmentColour: "yellow", place: "brick wall" },
];

const KEYS: readonly (keyof SceneTruth)[] = [
  "garment",
  "garmentColour",
  "pattern",
  "hat",
  "hatColour",
  "glasses",
  "expression",
  "place",
  "setting",
  "light",
  "framing",
  "side",
];

/**
 * Reads a file of rules: a JSON list such as `[{ "hatColour": "red", "setting": "outdoors" }]`.
 * @throws with the file's name when it is no such list
 */
export function readHeldOut(file: string): HeldOut {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new Error(`${file}: no file of held-out combinations (${(error as Error).message})`);
  }
  if (!Array.isArray(value))
    throw new Error(`${file}: expected a list of rules such as ${JSON.stringify(HELD_OUT_WORDS[0])}`);
  for (const [i, rule] of value.entries()) {
    const where = `${file}: rule ${i}`;
    if (typeof rule !== "object" || rule === null || Array.isArray(rule))
      throw new Error(`${where}: expected an object`);
    const keys = Object.keys(rule);
    if (keys.length === 0) throw new Error(`${where}: names nothing, and would hold out every scene`);
    const unknown = keys.find((key) => !KEYS.includes(key as keyof SceneTruth));
    if (unknown) throw new Error(`${where}: scenes have no "${unknown}"; they have ${KEYS.join(", ")}`);
  }
  return value as HeldOut;
}
