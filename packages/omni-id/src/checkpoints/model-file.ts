import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { openSafetensors, type SafetensorsFile } from "@omni-id/torch";
import { type Checkpoint, checkpointsIn } from "./checkpoint.ts";
import type { Family } from "./families.ts";
import { FOREIGN_ENDINGS, foreignFile } from "./file-kind.ts";
import { foreignOf, WANTED_NAMES } from "./foreign.ts";

const WHICH = "`omni-id models` says which is wanted";

/**
 * Opens a model's file, an index of shards, or a shard, by which all of them are found.
 * @throws one line when it is damaged, or no safetensors: then what it is, and what to do
 */
export function openModelFile(path: string): SafetensorsFile {
  if (path.endsWith(".bin.index.json")) {
    throw new Error(`${path}: an index of PyTorch pickles; take the .safetensors files of the same model`);
  }
  try {
    return openSafetensors(shardsOf(path));
  } catch (error) {
    const kind = path.endsWith(".json") ? undefined : foreignFile(path);
    throw kind === undefined ? error : new Error(`${path}: it is ${kind}`);
  }
}

const SHARD = /-(\d{5})-of-(\d{5})\.safetensors$/;
const INDEX = /\.safetensors\.index(\.[^.]+)?\.json$|(\.[^.]+)?\.safetensors\.index\.json$/;

/** All files of the set that a shard belongs to; the file itself where it is none. */
function shardsOf(path: string): string | string[] {
  const match = SHARD.exec(path);
  if (!match) return path;
  const folder = dirname(path);
  const index = readdirSync(folder).find((name) => INDEX.test(name) && listed(join(folder, name)).has(basename(path)));
  if (index !== undefined) return join(folder, index);
  const count = Number(match[2]);
  return Array.from({ length: count }, (_, i) => {
    const shard = path.replace(SHARD, `-${String(i + 1).padStart(5, "0")}-of-${match[2]}.safetensors`);
    if (existsSync(shard)) return shard;
    throw new Error(`${path}: shard ${i + 1} of ${count}, ${basename(shard)}, is not beside it; fetch it too`);
  });
}

/** Names of the shards in an index; none where it cannot be read: opening it says why. */
function listed(index: string): Set<string> {
  try {
    const { weight_map: map } = JSON.parse(readFileSync(index, "utf8")) as { weight_map?: Record<string, string> };
    return new Set(Object.values(map ?? {}));
  } catch {
    return new Set();
  }
}

/** Files of a folder of which each is a whole model: single ones, and one for each set of shards. */
export function modelFilesIn(folder: string): string[] {
  const names = readdirSync(folder)
    .filter((name) => !name.startsWith("."))
    .sort();
  const indexes = names.filter((name) => INDEX.test(name));
  const sharded = new Set(indexes.flatMap((name) => [...listed(join(folder, name))]));
  const singles = names.filter((name) => /\.(safetensors|sft)$/.test(name) && !sharded.has(name));
  const firsts = singles.filter((name) => {
    const match = SHARD.exec(name);
    return !match || !singles.some((other) => other < name && other.replace(SHARD, "") === name.replace(SHARD, ""));
  });
  return [...indexes, ...firsts].map((name) => join(folder, name));
}

/** The files that a path means: itself, or all models of a folder. @throws one line when it is not there, or holds none */
export function modelFilesAt(path: string): string[] {
  if (!existsSync(path)) throw new Error(`${path}: no such file`);
  if (!statSync(path).isDirectory()) return [path];
  const files = modelFilesIn(path);
  if (files.length === 0) throw new Error(`${path}: ${nothingIn(path)}`);
  return files;
}

/**
 * The file that a path means: itself, or of a folder the one that holds the network wanted, whatever it is called. Of
 * variants of one model, such as `model` and `model.fp16`, the most precise is taken.
 * @param remedy what a person can do about several models: a file can be named only where there is a choice of paths
 * @throws one line when there is none, or more than one
 */
export function modelFile(path: string, family: Family, remedy = "name the file"): string {
  if (!existsSync(path)) throw new Error(`${path}: no such model; \`omni-id models\` says what is wanted and where`);
  if (!statSync(path).isDirectory()) return path;
  const files = modelFilesIn(path);
  // What the only file lacks is told when it is opened.
  if (files.length === 1) return files[0];
  if (files.length === 0) throw new Error(`${path}: ${nothingIn(path)}`);
  const opened = files.map((file) => ({ file, ...peek(file, family) }));
  const fitting = opened.flatMap(({ checkpoints = [] }) => checkpoints);
  if (fitting.length === 0) {
    const list = opened.map(({ file, what }) => `${basename(file)}: ${what}`);
    throw new Error(`${path}: no ${WANTED_NAMES[family]} in it (${list.join("; ")}); ${WHICH}`);
  }
  const best = bestVariant(fitting);
  if (best !== undefined) return best.path;
  const names = [...new Set(fitting.map((checkpoint) => basename(checkpoint.path)))];
  throw new Error(`${path}: several models in it (${names.join(", ")}); ${remedy}`);
}

function peek(path: string, family: Family): { checkpoints?: Checkpoint[]; what: string } {
  try {
    const file = openModelFile(path);
    return { checkpoints: checkpointsIn(file, family), what: foreignOf(file.keys())?.what ?? "another model" };
  } catch (error) {
    return { what: (error as Error).message.replace(`${path}: `, "") };
  }
}

function nothingIn(folder: string): string {
  const foreign = readdirSync(folder).find((name) => FOREIGN_ENDINGS.test(name));
  if (foreign === undefined) return `no .safetensors file in it; ${WHICH}`;
  return `no .safetensors file in it, but ${foreign}, which is ${foreignFile(join(folder, foreign)) ?? "no model that is read here"}`;
}

/**
 * Of checkpoints with the same tensors the most precise, which takes the most bytes; of equals the one whose name the
 * others extend, as `model.non_ema` does `model`.
 */
export function bestVariant(checkpoints: readonly Checkpoint[]): Checkpoint | undefined {
  if (new Set(checkpoints.map(tensorsOf)).size > 1) return undefined;
  const bytes = new Map(checkpoints.map((checkpoint) => [checkpoint, bytesOf(checkpoint)]));
  const most = Math.max(...bytes.values());
  const largest = checkpoints.filter((checkpoint) => bytes.get(checkpoint) === most);
  if (largest.length === 1) return largest[0];
  const stem = ({ path }: Checkpoint) => basename(path).replace(/(\.safetensors|\.sft)?(\.index)?(\.json)?$/, "");
  return largest.find((one) => largest.every((other) => other === one || stem(other).startsWith(`${stem(one)}.`)));
}

const ownNames = (checkpoint: Checkpoint) => checkpoint.keys().filter((name) => !checkpoint.isCompanion(name));

/** Names and shapes; a 1 in a shape tells nothing. */
function tensorsOf(checkpoint: Checkpoint): string {
  const lines = ownNames(checkpoint).map((name) => `${name} ${checkpoint.shape(name).filter((size) => size !== 1)}`);
  return lines.sort().join("\n");
}

function bytesOf(checkpoint: Checkpoint): number {
  return ownNames(checkpoint).reduce((sum, name) => sum + checkpoint.byteLength(name), 0);
}
