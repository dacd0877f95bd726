import type { DType, SafetensorsFile, Tensor } from "@omni-id/torch";
import { type Content, contentOf, contentsOf } from "./contents.ts";
import { type Family, type Layout, ruleOf } from "./families.ts";
import { decodeFloat8, isFloat8 } from "./float8.ts";
import { isQuantisationMark, scaleNames, TAKE_WIDER, unknownScale } from "./quantised.ts";

/**
 * One network of a model file, memory-mapped: nothing is read until it is used. Its names are those that the network
 * itself gives its tensors, whatever the file wraps them in; 8-bit floats come with their scales applied.
 */
export class Checkpoint {
  readonly path: string;
  readonly family: Family;
  /** Whose names the tensors have. */
  readonly layout: Layout;
  /** What the file wraps the names in. */
  readonly prefix: string;
  #buffer = new Uint8Array(0);
  readonly #file: SafetensorsFile;
  readonly #keys: ReadonlyMap<string, string>;

  constructor(file: SafetensorsFile, { family, layout, prefix, keys }: Content) {
    this.path = file.path;
    this.family = family;
    this.layout = layout;
    this.prefix = prefix;
    this.#file = file;
    this.#keys = keys;
  }

  keys(): string[] {
    return [...this.#keys.keys()];
  }
  has(name: string): boolean {
    return this.#keys.has(name);
  }
  shape(name: string): readonly number[] {
    return this.#file.shape(this.#key(name));
  }
  /** The format's name of a tensor's dtype, such as "BF16" or "F8_E4M3". */
  code(name: string): string {
    return this.#file.code(this.#key(name));
  }

  /** Bytes in the file. */
  byteLength(name: string): number {
    return this.#file.byteLength(this.#key(name));
  }

  /** A tensor's bytes in a buffer that serves one tensor after the other. */
  #read(key: string): Uint8Array {
    const length = this.#file.byteLength(key);
    if (this.#buffer.length < length) this.#buffer = new Uint8Array(length);
    return this.#file.readBytes(key, this.#buffer);
  }

  /**
   * A tensor on the file's own bytes. 8-bit floats are copied, into `dtype`, times their scale.
   * @throws when their scale is of no known kind
   */
  get(name: string, dtype: DType = "bfloat16"): Tensor {
    const code = this.code(name);
    if (!isFloat8(code)) return this.#file.get(this.#key(name));
    const [scale] = scaleNames(name).filter((one) => this.has(one));
    const unknown = unknownScale(name, this.#keys.keys());
    if (unknown !== undefined || (scale !== undefined && !/^(F|BF)(16|32|64)$/.test(this.code(scale)))) {
      throw this.error(`"${unknown ?? scale}" scales 8-bit weights in a way that is not read here; ${TAKE_WIDER}`);
    }
    const scales = scale === undefined ? undefined : this.#file.get(this.#key(scale));
    try {
      return decodeFloat8(this.#read(this.#key(name)), {
        code,
        shape: this.shape(name),
        scales: scales && { values: scales.float().toTypedArray() as Float32Array, shape: scales.shape },
        dtype,
      });
    } catch (error) {
      throw this.error(`"${name}": ${(error as Error).message}`);
    } finally {
      scales?.dispose();
    }
  }

  /**
   * The dtype to which some tensors are brought where they differ: bfloat16 where there are 8-bit floats, else that of
   * most elements; undefined where they agree.
   */
  commonDType(names: Iterable<string>): DType | undefined {
    const elements = new Map<string, number>();
    for (const name of names) {
      const code = this.code(name);
      const numel = this.shape(name).reduce((product, size) => product * size, 1);
      if (/^(F|BF)\d/.test(code)) elements.set(code, (elements.get(code) ?? 0) + numel);
    }
    const codes = [...elements].sort(([, a], [, b]) => b - a).map(([code]) => code);
    if (codes.some(isFloat8)) return "bfloat16";
    return codes.length > 1 ? DTYPES[codes[0]] : undefined;
  }

  /** Whether a tensor may lie beside the network without being part of it. */
  isCompanion(name: string): boolean {
    if (ruleOf(this.family).beside?.test(name) || isQuantisationMark(name) || COMPANIONS.test(name)) return true;
    // Counters and other scalars; bytes and places such as `spiece_model`.
    const weightless = this.shape(name).reduce((product, size) => product * size, 1) <= 1;
    return weightless || /^(I|U|BOOL)/.test(this.code(name));
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

  #key(name: string): string {
    const key = this.#keys.get(name);
    if (key === undefined) throw this.error(`no tensor "${this.prefix}${name}"`);
    return key;
  }
}

const DTYPES: Readonly<Record<string, DType>> = { F64: "float64", F32: "float32", F16: "float16", BF16: "bfloat16" };

/** CLIP's temperature, places that are counted anyway, and averages over a training. */
const COMPANIONS = /(^|\.)(logit_scale|logit_bias|position_ids)$|^(model_)?ema[._]/;

/** The networks of a family in a file, each with its own names; of several, those that are no averages. */
export function checkpointsIn(file: SafetensorsFile, family: Family): Checkpoint[] {
  return contentOf(contentsOf(file.keys()), family).map((content) => new Checkpoint(file, content));
}
