import { defaultDevice, openSafetensors, type SafetensorsFile, type Tensor } from "@omni-id/torch";
import type { z } from "zod";

/** A file of golden vectors: weights, inputs and outputs of reference implementations, sizes in the metadata. */
export class GoldenFile {
  readonly path: string;
  readonly #file: SafetensorsFile;

  /** @throws one line when the file is missing, cut off, or no safetensors file */
  constructor(path: string) {
    this.path = path;
    this.#file = openSafetensors(path);
  }

  keys(): string[] {
    return this.#file.keys();
  }
  has(key: string): boolean {
    return this.#file.has(key);
  }

  /** On the default device. @throws when the file lacks it */
  get(key: string): Tensor {
    if (!this.has(key)) throw this.error(`the tensor "${key}" is missing`);
    return this.#file.get(key).to(defaultDevice());
  }

  /** Tensors below a prefix, by the rest of their keys. @throws when there are none */
  part(prefix: string): Map<string, Tensor> {
    const keys = this.keys().filter((key) => key.startsWith(prefix));
    if (keys.length === 0) throw this.error(`no tensors "${prefix}…"`);
    return new Map(keys.map((key) => [key.slice(prefix.length), this.#file.get(key)]));
  }

  /** The sizes in `config`, a Python dict as text. @throws when it is missing, unreadable or incomplete */
  config<T>(schema: z.ZodType<T>): T {
    return this.#checked("config", parsePython(this.metadata("config"), this), schema);
  }

  /** The sizes in an entry such as "ch=32 ch_mult=1,2". */
  assignments<T>(entry: string, schema: z.ZodType<T>): T {
    const pairs = this.metadata(entry)
      .trim()
      .split(/\s+/)
      .map((pair) => pair.split("=") as [string, string]);
    return this.#checked(entry, Object.fromEntries(pairs), schema);
  }

  /** @throws when the metadata lacks the entry */
  metadata(entry: string): string {
    const text = this.#file.metadata[entry];
    if (text === undefined) throw this.error(`its metadata has no "${entry}"`);
    return text;
  }

  error(problem: string): Error {
    return new Error(`${this.path}: ${problem.replaceAll(/\s*\n\s*/g, " ")}`);
  }

  #checked<T>(entry: string, value: unknown, schema: z.ZodType<T>): T {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const [{ path, message }] = parsed.error.issues;
    throw this.error(`the metadata's "${entry}": ${path.join(".")}: ${message}`);
  }
}

/** The JSON of a Python literal: dicts, lists, tuples, strings, numbers, True, False, None. */
function parsePython(text: string, file: GoldenFile): unknown {
  const words: Record<string, string> = { True: "true", False: "false", None: "null", "(": "[", ")": "]" };
  const json = text.replaceAll(
    /"(?:[^"\\]|\\.)*"|'((?:[^'\\]|\\.)*)'|\b(?:True|False|None)\b|[()]|,(?=\s*[\])}])/g,
    (part, quoted: string | undefined) => {
      if (quoted !== undefined) return JSON.stringify(quoted);
      if (part === ",") return "";
      return words[part] ?? part;
    },
  );
  try {
    return JSON.parse(json);
  } catch {
    throw file.error(`the metadata's "config" is no Python or JSON object: ${text.slice(0, 60)}`);
  }
}
