import { closeSync, constants, existsSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { dirname, join } from "node:path";
import type { DType } from "../dtype.ts";
import { hasDType } from "../has-dtype.ts";
import { mapTensorFile } from "../mapped-file.ts";
import { native } from "../native.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { FORMAT_DTYPES, MAX_HEADER, parseHeader, type TensorEntry } from "./header.ts";
import { readValues } from "./values.ts";

interface Located extends TensorEntry {
  file: string;
}

/**
 * One safetensors file, or the shards that a `*.index.json` names, as one set of tensors. Tensors are memory-mapped:
 * opening a file of 24 GB costs nothing, and `get` reads nothing until the values are used.
 */
export class SafetensorsFile {
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly #entries: ReadonlyMap<string, Located>;

  /** @internal Use {@link openSafetensors}. */
  constructor(path: string, entries: ReadonlyMap<string, Located>, metadata: Readonly<Record<string, string>>) {
    this.path = path;
    this.#entries = entries;
    this.metadata = metadata;
  }

  /** Names of the tensors. */
  keys(): string[] {
    return [...this.#entries.keys()];
  }
  has(key: string): boolean {
    return this.#entries.has(key);
  }
  shape(key: string): readonly number[] {
    return this.#entry(key).shape;
  }
  /** The format's name of a tensor's dtype, such as "BF16" or "F8_E4M3". */
  code(key: string): string {
    return this.#entry(key).code;
  }
  /** Whether this LibTorch can hold a tensor of that dtype; its {@link bytes} can be read all the same. */
  isTensor(key: string): boolean {
    const { dtype } = FORMAT_DTYPES[this.#entry(key).code];
    return dtype !== undefined && hasDType(dtype);
  }
  /** @throws when this LibTorch has no such dtype */
  dtype(key: string): DType {
    const { code } = this.#entry(key);
    const { dtype } = FORMAT_DTYPES[code];
    if (dtype && hasDType(dtype)) return dtype;
    throw new Error(
      `${this.path}: tensor "${key}" is ${code}, which this LibTorch (${native.version().libtorch}) has no dtype for; its bytes can be read by bytes()`,
    );
  }
  /**
   * A tensor on the file's own bytes. Writing to it changes neither the file nor other mappings.
   * @throws when this LibTorch has no such dtype
   */
  get(key: string): Tensor {
    const dtype = this.dtype(key);
    const { file, start, shape } = this.#entry(key);
    return mapTensorFile(file, { byteOffset: start, dtype, shape });
  }
  /** How many bytes a tensor takes in the file. */
  byteLength(key: string): number {
    const { start, end } = this.#entry(key);
    return end - start;
  }
  /** A tensor's bytes as the file has them, memory-mapped, whatever its dtype. */
  bytes(key: string): Uint8Array {
    const { file, start, end } = this.#entry(key);
    const raw = scope(() => mapTensorFile(file, { byteOffset: start, dtype: "uint8", shape: [end - start] }).data());
    return raw as Uint8Array;
  }
  /** The same, read into memory of the caller's, which has to be large enough: what is mapped stays until V8 collects it. */
  readBytes(key: string, into: Uint8Array): Uint8Array {
    const { file: path, start, end } = this.#entry(key);
    const file = openSync(path, "r");
    try {
      let done = 0;
      while (done < end - start) {
        const read = readSync(file, into, done, end - start - done, start + done);
        if (read === 0) throw new Error(`${path}: it ends inside tensor "${key}"; fetch it again`);
        done += read;
      }
    } finally {
      closeSync(file);
    }
    return into.subarray(0, end - start);
  }
  /**
   * A floating-point tensor's numbers as float32, read without LibTorch: for small ones, where loading it would be most
   * of the work.
   */
  values(key: string): Float32Array {
    const entry = this.#entry(key);
    return readValues(entry.file, entry);
  }
  /** All tensors with their names, memory-mapped. @throws when this LibTorch lacks the dtype of one */
  entries(): [string, Tensor][] {
    return this.keys().map((key) => [key, this.get(key)]);
  }
  /** Mappings live as long as their tensors; nothing else is held open. */
  close(): void {}

  #entry(key: string): Located {
    const entry = this.#entries.get(key);
    if (!entry) throw new Error(`${this.path}: no tensor "${key}"`);
    return entry;
  }
}

/**
 * Opens a `.safetensors` file, a sharded set by its `.index.json`, or shards without an index as one set.
 * @throws a message with the file's name when it is missing, cut off, or not exactly the format; when two shards hold a
 * tensor of one name
 */
export function openSafetensors(path: string | readonly string[]): SafetensorsFile {
  if (typeof path !== "string") return openTogether(path);
  if (path.endsWith(".json")) return openSharded(path);
  const { entries, metadata } = readHeader(path);
  return new SafetensorsFile(path, locate(path, entries), metadata);
}

/** What {@link loadSafetensors} gives. */
export interface LoadedSafetensors {
  tensors: Map<string, Tensor>;
  metadata: Record<string, string>;
  /** Those whose dtype this LibTorch does not have, as they lie in the file. */
  bytes: Map<string, Uint8Array>;
}

/** All tensors of a file by key, memory-mapped. */
export function loadSafetensors(path: string): LoadedSafetensors {
  const file = openSafetensors(path);
  const keys = file.keys();
  return {
    tensors: new Map(keys.filter((key) => file.isTensor(key)).map((key) => [key, file.get(key)])),
    metadata: { ...file.metadata },
    bytes: new Map(keys.filter((key) => !file.isTensor(key)).map((key) => [key, file.bytes(key)])),
  };
}

const locate = (file: string, entries: ReadonlyMap<string, TensorEntry>): Map<string, Located> =>
  new Map([...entries].map(([key, entry]) => [key, { ...entry, file }]));

function readHeader(path: string) {
  // Opened so, a named pipe does not wait for somebody to write into it.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(file);
    if (!stats.isFile())
      throw new Error(`${stats.isDirectory() ? "a folder" : "no regular file"}, and a safetensors file was expected`);
    const { size } = stats;
    if (size < 8) throw new Error(`only ${size} bytes: not even the length of a header`);
    const length = Buffer.alloc(8);
    readSync(file, length, 0, 8, 0);
    const headerSize = length.readBigUInt64LE();
    if (headerSize > BigInt(Math.min(MAX_HEADER, size - 8))) {
      throw new Error(
        `its header claims ${headerSize} bytes, the file has ${size - 8} left: cut off, or no safetensors file`,
      );
    }
    const json = Buffer.alloc(Number(headerSize));
    readSync(file, json, 0, json.length, 8);
    return parseHeader(json, 8 + json.length, size);
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`);
  } finally {
    closeSync(file);
  }
}

function openTogether(paths: readonly string[]): SafetensorsFile {
  const entries = new Map<string, Located>();
  for (const path of paths) {
    for (const [key, entry] of locate(path, readHeader(path).entries)) {
      const other = entries.get(key);
      if (other) throw new Error(`${path}: "${key}" is in ${other.file} too`);
      entries.set(key, entry);
    }
  }
  return new SafetensorsFile(paths[0], entries, {});
}

function openSharded(path: string): SafetensorsFile {
  const map = readIndex(path);
  const shards = new Map<string, Map<string, Located>>();
  const entries = new Map<string, Located>();
  for (const [key, shard] of Object.entries(map)) {
    const file = join(dirname(path), shard);
    let known = shards.get(file);
    if (!known) {
      if (!existsSync(file)) throw new Error(`${path}: the shard ${shard} is not beside it; fetch it too`);
      known = locate(file, readHeader(file).entries);
      shards.set(file, known);
    }
    const entry = known.get(key);
    if (!entry) throw new Error(`${path}: "${key}" should be in ${shard}, but is not`);
    entries.set(key, entry);
  }
  return new SafetensorsFile(path, entries, {});
}

/** The weight map of an index: tensor name → file name beside the index. */
function readIndex(path: string): Record<string, string> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new Error(`${path}: no readable index (${(error as Error).message})`);
  }
  const map = (parsed as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== "object" || map === null) throw new Error(`${path}: an index of shards needs a "weight_map"`);
  for (const [key, shard] of Object.entries(map)) {
    // A shard is a file beside its index; a path out of that folder is nobody's honest wish.
    if (typeof shard !== "string" || !/^[^/\\]+\.safetensors$/.test(shard)) {
      throw new Error(`${path}: "${key}" names ${JSON.stringify(shard)}, which is no shard beside the index`);
    }
  }
  return map as Record<string, string>;
}
