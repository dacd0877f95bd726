import { NANO_RECIPE, readRecipe, SCENE_RECIPE } from "@omni-id/data";
import { presetOverrides, presets } from "../presets/index.ts";
import type { Preset } from "../presets/schema.ts";

/** The command that renders the shards of a folder again; `undefined` for shards from elsewhere. */
export function synthCommand(folder: string): string | undefined {
  const recipe = readRecipe(folder);
  if (!recipe) return undefined;
  const keys = ["identities", "images", "size", "seed"] as const;
  const usual = recipe.scenes ? SCENE_RECIPE : NANO_RECIPE;
  const options = keys.filter((key) => recipe[key] !== usual[key]).map((key) => `--${key} ${recipe[key]}`);
  const scenes = recipe.scenes
    ? [recipe.scenes === SCENE_RECIPE.scenes ? "--scenes" : `--scenes ${recipe.scenes}`]
    : [];
  const noise = recipe.noise ? [`--noise ${recipe.noise}`] : [];
  return ["omni-id data synth", ...scenes, ...options, ...noise].join(" ");
}

/** What a training was started with. */
export interface CommandNote {
  /** mtd, base, flow, control or personalise. */
  stage: string;
  /** Folders of the shards. */
  data: readonly string[];
  preset: Preset;
  seed: number;
  precision: string;
  /** The command that this training was a part of, such as `omni-id train all`. */
  partOf?: string;
}

/** The command that trains a stage again as it was trained; the precision is told, for its default is the machine's. */
export function stageCommandLine({ stage, preset, seed, precision }: Omit<CommandNote, "data">): string {
  const base = presets[preset.name] ?? presets.nano;
  const overrides = presetOverrides(base, preset).map((override) => shellWord(override));
  return [
    `omni-id train ${stage}`,
    ...(base.name === "nano" ? [] : [`--preset ${base.name}`]),
    ...(seed === 0 ? [] : [`--seed ${seed}`]),
    `--precision ${precision}`,
    ...(overrides.length > 0 ? [`--set ${overrides.join(" ")}`] : []),
  ].join(" ");
}

/**
 * How somebody else makes the same weights: the metadata `data` (absent for shards from elsewhere) and `command`. Of several
 * sets those that were rendered stand in `rendered`: whoever measures the weights has to know whom they have met.
 */
export function commandsOf(note: CommandNote): Record<string, string> {
  const rendered = note.data.map(synthCommand).filter((command) => command !== undefined);
  const name = note.data.length === 1 ? "data" : "rendered";
  return {
    ...(rendered.length > 0 && { [name]: rendered.join("; ") }),
    command: note.partOf ?? stageCommandLine(note),
  };
}

/** A word as a shell takes it, in quotes where it must be. */
export const shellWord = (text: string) => (/^[\w.=+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
