import type { DType } from "../dtype.ts";

/** One tensor of a file: where its bytes lie. */
export interface TensorEntry {
  /** The format's name of its dtype, such as "BF16" or "F8_E4M3". */
  code: string;
  shape: number[];
  /** Bytes from the start of the file. */
  start: number;
  end: number;
}

export interface Header {
  entries: Map<string, TensorEntry>;
  metadata: Record<string, string>;
}

/** Every dtype of the format (github.com/huggingface/safetensors, tensor.rs): bits, and PyTorch's name if it has one. */
export const FORMAT_DTYPES: Readonly<Record<string, { dtype?: DType; bits: number }>> = {
  F64: { dtype: "float64", bits: 64 },
  F32: { dtype: "float32", bits: 32 },
  F16: { dtype: "float16", bits: 16 },
  BF16: { dtype: "bfloat16", bits: 16 },
  I64: { dtype: "int64", bits: 64 },
  I32: { dtype: "int32", bits: 32 },
  I16: { dtype: "int16", bits: 16 },
  I8: { dtype: "int8", bits: 8 },
  U64: { dtype: "uint64", bits: 64 },
  U32: { dtype: "uint32", bits: 32 },
  U16: { dtype: "uint16", bits: 16 },
  U8: { dtype: "uint8", bits: 8 },
  BOOL: { dtype: "bool", bits: 8 },
  C64: { dtype: "complex64", bits: 64 },
  F8_E4M3: { dtype: "float8_e4m3fn", bits: 8 },
  F8_E5M2: { dtype: "float8_e5m2", bits: 8 },
  F8_E4M3FNUZ: { bits: 8 },
  F8_E5M2FNUZ: { bits: 8 },
  F8_E8M0: { bits: 8 },
  F6_E2M3: { bits: 6 },
  F6_E3M2: { bits: 6 },
  F4: { bits: 4 },
};

/** The reference implementation's limit; more is an attack, or no safetensors file. */
export const MAX_HEADER = 100_000_000;

/**
 * Reads and checks a header.
 * @param json the header's bytes @param dataStart where the tensors' bytes begin @param fileSize bytes of the file
 * @throws for everything that is not exactly the format: bad UTF-8 or JSON, duplicate keys, unknown dtypes, shapes
 * that do not fit their bytes, overlaps, holes, and bytes beyond the end
 */
export function parseHeader(json: Uint8Array, dataStart: number, fileSize: number): Header {
  const parsed = parseJson(json);
  const entries = new Map<string, TensorEntry>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(parsed)) {
    if (name === "__metadata__") metadata = checkMetadata(value);
    else entries.set(name, checkEntry(name, value, dataStart));
  }
  checkLayout(entries, dataStart, fileSize);
  return { entries, metadata };
}

function parseJson(json: Uint8Array): Record<string, unknown> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(json);
  } catch {
    throw new Error("the header is not valid UTF-8");
  }
  if (!text.startsWith("{")) throw new Error("the header does not begin with {");
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new Error(`the header is no JSON (${(error as Error).message})`);
  }
  if (typeof parsed !== "object" || parsed === null) throw new Error("the header is no JSON object");
  // JSON.parse keeps the last of two equal keys; two readers could then see two different files.
  const twice = duplicateKey(text);
  if (twice !== undefined) throw new Error(`the header names "${twice}" twice`);
  return parsed as Record<string, unknown>;
}

/** A key that stands twice at the top level of a JSON object, if any. */
function duplicateKey(text: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  const token = /"((?:[^"\\]|\\.)*)"(\s*:)?|[{}[\]]/g;
  for (const [part, word, colon] of text.matchAll(token)) {
    if (part === "{" || part === "[") depth++;
    else if (part === "}" || part === "]") depth--;
    else if (depth === 1 && colon !== undefined) {
      const key = JSON.parse(`"${word}"`) as string;
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
  return undefined;
}

function checkMetadata(value: unknown): Record<string, string> {
  if (value === null) return {}; // written by some exporters where there is nothing to say
  if (typeof value !== "object" || Array.isArray(value)) throw new Error("__metadata__ is no object");
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") throw new Error(`__metadata__.${key} is no string`);
  }
  return value as Record<string, string>;
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function checkEntry(name: string, value: unknown, dataStart: number): TensorEntry {
  if (typeof value !== "object" || value === null) throw new Error(`tensor "${name}": its entry is no object`);
  const { dtype: code, shape, data_offsets: offsets, ...rest } = value as Record<string, unknown>;
  const [extra] = Object.keys(rest);
  if (extra !== undefined) throw new Error(`tensor "${name}": unknown field "${extra}"`);
  if (typeof code !== "string" || !Object.hasOwn(FORMAT_DTYPES, code))
    throw new Error(`tensor "${name}": dtype ${JSON.stringify(code)} is not supported`);
  if (!Array.isArray(shape) || !shape.every(isSize)) throw new Error(`tensor "${name}": its shape is no list of sizes`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw new Error(`tensor "${name}": data_offsets must be two byte positions`);
  }
  const bytes = shape.reduce((product: number, size: number) => product * size, FORMAT_DTYPES[code].bits) / 8;
  const [start, end] = offsets as [number, number];
  if (!Number.isSafeInteger(bytes) || end - start !== bytes) {
    throw new Error(`tensor "${name}": ${code} [${shape.join(", ")}] needs ${bytes} bytes, but has ${end - start}`);
  }
  return { code, shape: shape as number[], start: dataStart + start, end: dataStart + end };
}

/** Tensors must fill the data part exactly, one after the other. */
function checkLayout(entries: ReadonlyMap<string, TensorEntry>, dataStart: number, fileSize: number): void {
  const order = [...entries].sort(([, a], [, b]) => a.start - b.start || a.end - b.end);
  let at = dataStart;
  for (const [name, { start, end }] of order) {
    if (start < at) throw new Error(`tensor "${name}": its bytes overlap those of another tensor`);
    if (start > at) throw new Error(`tensor "${name}": ${start - at} bytes before it belong to no tensor`);
    at = end;
  }
  if (at > fileSize) throw new Error(`the file is cut off: it has ${fileSize} bytes and should have ${at}`);
  if (at < fileSize) throw new Error(`${fileSize - at} bytes at the end belong to no tensor`);
}
