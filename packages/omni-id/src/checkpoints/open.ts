import type { SafetensorsFile } from "@omni-id/torch";
import { type Checkpoint, checkpointsIn } from "./checkpoint.ts";
import { type Content, contentsOf } from "./contents.ts";
import { type Family, ruleOf } from "./families.ts";
import { foreignOf, loraOf, WANTED_NAMES } from "./foreign.ts";
import { modelFile, openModelFile } from "./model-file.ts";
import { quantisationOf, TAKE_WIDER } from "./quantised.ts";

/**
 * Opens a network: a `.safetensors` file, the `.index.json` of a sharded one or one of its shards, or the folder that
 * holds one of these. What the files are called says nothing: the network is found by its keys, alone or among others,
 * wrapped or not.
 * @throws one line when it is not there, or its weights are quantised in a way that is not read: then what the file is
 */
export function openCheckpoint(path: string, family: Family): Checkpoint {
  const file = openModelFile(modelFile(path, family));
  const found = checkpointsIn(file, family);
  if (found.length > 1) {
    const list = found.map(({ prefix }) => `"${prefix}"`).join(" and ");
    throw new Error(
      `${file.path}: it holds ${found.length} networks of this kind, under ${list}; save one of them alone`,
    );
  }
  if (found.length === 0) throw new Error(`${file.path}: ${whyNot(file, family)}`);
  const [checkpoint] = found;
  const tensors = checkpoint.keys().map((name) => ({ name, code: checkpoint.code(name) }));
  const own = tensors.filter(({ name }) => !ruleOf(family).beside?.test(name));
  const quantised = quantisationOf(own);
  if (quantised !== undefined) {
    throw checkpoint.error(`its weights are quantised to ${quantised}, which is not read here; ${TAKE_WIDER}`);
  }
  const lora = loraOf(own.map(({ name }) => name));
  if (lora !== undefined) {
    throw checkpoint.error(`a LoRA (${lora}) lies in it unmerged: merge it into the model with the tool that made it`);
  }
  return checkpoint;
}

/** What a file is that does not hold the network wanted. */
function whyNot(file: SafetensorsFile, family: Family): string {
  const wanted = WANTED_NAMES[family];
  const keys = file.keys();
  const quantised = quantisationOf(keys.map((name) => ({ name, code: file.code(name) })));
  const foreign = foreignOf(keys);
  const others = contentsOf(keys).map((content) => ruleOf(content.family).what);
  if (others.length === 0 && foreign) return `it is ${foreign.what}, no ${wanted}; ${foreign.advice ?? WHICH}`;
  if (quantised !== undefined)
    return `no ${wanted} that is read here: its weights are quantised to ${quantised}; ${TAKE_WIDER}`;
  const [sign] = Object.values(ruleOf(family).signs).map(([first]) => first);
  const holds = others.length > 0 ? `, but it holds ${[...new Set(others)].join(" and ")}` : "";
  return `no ${wanted}, or half of one: "${sign}" is missing${holds}; ${WHICH}`;
}

const WHICH = "`omni-id models` says which file is wanted";

/** What a model file is: every network in it, with its wrapper. For whoever is handed a file and no more. */
export function describeCheckpoint(path: string): { networks: Content[]; what: string } {
  const file = openModelFile(path);
  const networks = contentsOf(file.keys());
  const names = networks.map(({ family }) => ruleOf(family).what);
  const what =
    names.length > 0 ? names.join(" and ") : (foreignOf(file.keys())?.what ?? "a model that is not known here");
  return { networks, what };
}
