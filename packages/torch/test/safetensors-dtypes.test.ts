import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type DType,
  fromTypedArray,
  hasDType,
  loadSafetensors,
  openSafetensors,
  saveSafetensors,
} from "@omni-id/torch";
import { afterAll, describe, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "omni-id-dtypes-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A file of one tensor `x` beside a float32 `ok` = [1.5]; `rest` goes into the header as it is. */
function fileOf(dtype: string, shape: number[], data: Uint8Array, rest: Record<string, unknown> = {}): string {
  const header = {
    ...rest,
    ok: { dtype: "F32", shape: [1], data_offsets: [0, 4] },
    x: { dtype, shape, data_offsets: [4, 4 + data.length] },
  };
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const path = join(folder, "one.safetensors");
  writeFileSync(path, Buffer.concat([length, json, Buffer.from(Float32Array.of(1.5).buffer), data]));
  return path;
}

/** Every dtype of the format, with the bits of one element. */
const FORMAT = Object.entries({
  F64: 64,
  F32: 32,
  F16: 16,
  BF16: 16,
  I64: 64,
  I32: 32,
  I16: 16,
  I8: 8,
  U64: 64,
  U32: 32,
  U16: 16,
  U8: 8,
  BOOL: 8,
  C64: 64,
  F8_E4M3: 8,
  F8_E5M2: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  F8_E8M0: 8,
  F6_E2M3: 6,
  F6_E3M2: 6,
  F4: 4,
});

describe("a tensor of any dtype of the format never keeps the file from opening", () => {
  test.each(FORMAT)("%s", (dtype, bits) => {
    const data = Uint8Array.from({ length: bits }, (_, i) => i % 2); // eight elements
    const path = fileOf(dtype, [2, 4], data);
    const file = openSafetensors(path);
    expect(file.get("ok").tolist()).toEqual([1.5]);
    expect([file.code("x"), file.shape("x")]).toEqual([dtype, [2, 4]]);
    expect([...file.bytes("x")]).toEqual([...data]);
    const loaded = loadSafetensors(path);
    expect([...loaded.tensors.keys(), ...loaded.bytes.keys()].sort()).toEqual(["ok", "x"]);
    if (file.isTensor("x")) {
      expect(file.get("x").shape).toEqual([2, 4]);
      expect(file.get("x").dtype).toBe(file.dtype("x"));
    } else {
      const said = new RegExp(
        `one\\.safetensors: tensor "x" is ${dtype}, which this LibTorch \\(.*\\) has no dtype for`,
      );
      expect(() => file.get("x")).toThrow(said);
      expect(() => file.dtype("x")).toThrow(said);
    }
  });

  test("sizes are held to the bits of an element", () => {
    expect(() => openSafetensors(fileOf("F4", [3], new Uint8Array(2)))).toThrow(/F4 \[3\] needs 1.5 bytes, but has 2/);
    expect(() => openSafetensors(fileOf("I16", [3], new Uint8Array(3)))).toThrow(/needs 6 bytes, but has 3/);
  });
});

test("metadata that is null is none", () => {
  expect(openSafetensors(fileOf("I8", [1], new Uint8Array(1), { __metadata__: null })).metadata).toEqual({});
});

test("the dtypes that this LibTorch has go there and back, and are read and printed as numbers", () => {
  const of = {
    int8: Int8Array.of(-128, 127),
    int16: Int16Array.of(-32768, 3),
    uint16: Uint16Array.of(65535, 1),
    uint32: Uint32Array.of(2 ** 32 - 1, 1),
    uint64: BigUint64Array.of(2n ** 64n - 1n, 1n),
    complex64: Float32Array.of(1, -2, 3, 4),
    float8_e4m3fn: Uint8Array.of(0x38, 0xc8), // 1 and −4
    float8_e5m2: Uint8Array.of(0x3c, 0xc4),
  } satisfies Partial<Record<DType, unknown>>;
  const read = new Map<string, unknown>();
  for (const [name, array] of Object.entries(of)) {
    const dtype = name as DType;
    if (!hasDType(dtype)) continue;
    saveSafetensors(join(folder, "back.safetensors"), { x: fromTypedArray(array, [2], { dtype }) });
    const x = openSafetensors(join(folder, "back.safetensors")).get("x");
    expect(x.dtype).toBe(dtype);
    expect(String(x)).toContain(dtype);
    read.set(name, x.tolist());
  }
  expect(read.get("int8")).toEqual([-128, 127]);
  expect(read.get("int16")).toEqual([-32768, 3]);
  expect(read.get("complex64")).toEqual([
    [1, -2],
    [3, 4],
  ]);
  if (read.has("float8_e4m3fn")) expect(read.get("float8_e4m3fn")).toEqual([1, -4]);
  if (read.has("float8_e5m2")) expect(read.get("float8_e5m2")).toEqual([1, -4]);
  if (read.has("uint32")) expect(read.get("uint32")).toEqual([2 ** 32 - 1, 1]);
});
