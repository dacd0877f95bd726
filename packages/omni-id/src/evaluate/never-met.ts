import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { NANO_RECIPE, readRecipe, type ShardSet, splitIdentities, splitOf, syntheticId } from "@omni-id/data";
import { openSafetensors } from "@omni-id/torch";

/** What weights tell of the sets that they were trained on: the command of the one set, or those of several. */
export type ToldSets = Readonly<{ data?: string; rendered?: string }>;

/** The commands that render all that some weights were trained on, each once. */
export function renderedSets(told: readonly ToldSets[]): string[] {
  const commands = told.flatMap(({ data = "", rendered = "" }) => [data, ...rendered.split("; ")]);
  return [...new Set(commands.filter(Boolean))];
}

/** The same of all files of some folders. */
function trainedOn(folders: readonly string[]): string[] {
  const files = folders
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
    .filter((file) => file.endsWith(".safetensors"));
  return renderedSets(files.map((file) => openSafetensors(file).metadata));
}

/**
 * The rendered people that a set of `omni-id data synth` trains on: the same seed renders the same people, and how many of
 * them there are decides who is held out. @param command the metadata `data` of weights
 */
function trainingPeople(command: string, seed: number): readonly string[] {
  const words = command.split(" ");
  const option = (name: string, usual: number) => {
    const at = words.indexOf(`--${name}`);
    return at < 0 ? usual : Number(words[at + 1]);
  };
  if (!command.startsWith("omni-id data synth") || option("seed", NANO_RECIPE.seed) !== seed) return [];
  const count = option("identities", NANO_RECIPE.identities);
  return splitIdentities(Array.from({ length: count }, (_, i) => syntheticId(i))).train;
}

/**
 * The people of a part of a set whom weights have not been trained on. A set holds out its own 44 people; of a smaller set
 * with the same seed they are others, and weights of the larger one have met some of them. It is known of rendered
 * people alone: of photographs it is whoever trains that keeps sets apart.
 * @param weights folders whose files tell what they were trained on
 * @throws when fewer than two people are left
 */
export function neverMet(
  shards: Pick<ShardSet, "folder" | "ids">,
  { part, weights, note }: { part: "test" | "validation"; weights: readonly string[]; note: (text: string) => void },
): string[] {
  const ids = splitOf(shards)[part];
  const recipe = readRecipe(shards.folder);
  if (!recipe) return ids;
  const commands = trainedOn(weights);
  const met = new Set(commands.flatMap((command) => trainingPeople(command, recipe.seed)));
  const left = ids.filter((id) => !met.has(id));
  if (left.length === ids.length) return ids;
  const why = `of ${shards.folder}'s ${ids.length} ${part} people ${ids.length - left.length} are left out: the weights were trained on them (${commands.join("; ")})`;
  if (left.length < 2) {
    throw new Error(
      `${why}; measure on the set that they were trained on, or on other people: omni-id data synth --seed ${recipe.seed + 1} -o FOLDER`,
    );
  }
  note(why);
  return left;
}
