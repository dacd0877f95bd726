import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { openSafetensors, type SafetensorsFile, type Tensor } from "@omni-id/torch";

/** The tensors of a model file, memory-mapped: nothing is read until it is used. */
export class Checkpoint {
  readonly path: string;
  readonly #file: SafetensorsFile;
  readonly #prefix: string;

  constructor(file: SafetensorsFile, prefix = "") {
    this.path = file.path;
    this.#file = file;
    this.#prefix = prefix;
  }

  keys(): string[] {
    const all = this.#file.keys();
    return this.#prefix === ""
      ? all
      : all.filter((key) => key.startsWith(this.#prefix)).map((key) => key.slice(this.#prefix.length));
  }
  has(key: string): boolean {
    return this.#file.has(this.#prefix + key);
  }
  shape(key: string): readonly number[] {
    return this.#file.shape(this.#prefix + key);
  }
  get(key: string): Tensor {
    return this.#file.get(this.#prefix + key);
  }

  /** The tensors below a prefix, where all of them lie there; else all as they are. */
  below(prefix: string): Checkpoint {
    const wrapped = this.keys().every((key) => key.startsWith(prefix));
    return wrapped ? new Checkpoint(this.#file, this.#prefix + prefix) : this;
  }

  /** Highest number at the `*` of a key, plus one: how many blocks there are. */
  count(pattern: string): number {
    const [before, after] = pattern.split("*");
    const numbers = this.keys()
      .filter((key) => key.startsWith(before) && key.slice(before.length).replace(/^\d+/, "").startsWith(after))
      .map((key) => Number.parseInt(key.slice(before.length), 10));
    return numbers.reduce((most, n) => Math.max(most, n + 1), 0);
  }

  error(problem: string): Error {
    return new Error(`${this.path}: ${problem}`);
  }
}

/**
 * Opens a model: a `.safetensors` file, the `.index.json` of a sharded one, or the folder that holds one of these, as
 * in a diffusers repository.
 * @throws one line when there is none, more than one, or it is damaged
 */
export function openCheckpoint(path: string): Checkpoint {
  if (!existsSync(path)) throw new Error(`${path}: no such model; \`omni-id models\` says what is wanted and where`);
  return new Checkpoint(openSafetensors(statSync(path).isDirectory() ? fileIn(path) : path));
}

function fileIn(folder: string): string {
  const names = readdirSync(folder).sort();
  const indexes = names.filter((name) => name.endsWith(".safetensors.index.json"));
  const files = indexes.length > 0 ? indexes : names.filter((name) => name.endsWith(".safetensors"));
  if (files.length === 1) return join(folder, files[0]);
  const found = files.length === 0 ? "no .safetensors file in it" : `several models in it (${files.join(", ")})`;
  throw new Error(`${folder}: ${found}; name the file`);
}
