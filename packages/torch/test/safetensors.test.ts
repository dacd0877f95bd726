import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  arange,
  type DType,
  fromTypedArray,
  Generator,
  loadSafetensors,
  openSafetensors,
  randn,
  saveSafetensors,
  scope,
  type Tensor,
  tensor,
  zeros,
} from "@omni-id/torch";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "omni-id-safetensors-"));
afterAll(() => rmSync(folder, { recursive: true }));
const place = (name: string) => join(folder, name);

const values = (t: Tensor) => [...(t.toTypedArray() as Iterable<number | bigint>)];

/** A file of the format, byte by byte, whatever its header says. */
function fileOf(header: string | Uint8Array, data: Uint8Array = new Uint8Array(0), claimed?: bigint): Uint8Array {
  const json = Buffer.from(header as string);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(claimed ?? BigInt(json.length));
  return Buffer.concat([length, json, data]);
}
function openBytes(bytes: Uint8Array) {
  const path = place("hostile.safetensors");
  writeFileSync(path, bytes);
  return openSafetensors(path);
}
const entry = (dtype: string, shape: unknown, from: unknown, to: unknown) => ({
  dtype,
  shape,
  data_offsets: [from, to],
});

describe("round trip", () => {
  const dtypes: DType[] = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "uint8", "bool"];
  test.each(dtypes)("%s, with metadata, and empty and scalar tensors", (dtype) => {
    const path = place("round.safetensors");
    const generator = new Generator(1);
    const x = randn([3, 5], { generator }).mul(3).to(dtype);
    saveSafetensors(path, { x, "a.b.0": zeros([0, 2]).to(dtype), scalar: x.at(0, 0) }, { metadata: { made: "here" } });
    const { tensors, metadata } = loadSafetensors(path);
    expect(metadata).toEqual({ made: "here" });
    const back = tensors.get("x") as Tensor;
    expect([back.dtype, back.shape]).toEqual([dtype, [3, 5]]);
    expect(values(back.float())).toEqual(values(x.float()));
    expect(tensors.get("a.b.0")?.shape).toEqual([0, 2]);
    expect(tensors.get("scalar")?.shape).toEqual([]);
  });

  test("a view that is not contiguous is written as it reads", () => {
    saveSafetensors(place("view.safetensors"), { x: arange(6, { dtype: "float32" }).reshape([2, 3]).t() });
    expect(values(openSafetensors(place("view.safetensors")).get("x"))).toEqual([0, 3, 1, 4, 2, 5]);
  });

  test("the bytes are what the format's reference implementation writes", () => {
    // safetensors.numpy.save({"b": uint8 [1, 2], "a": float32 [[1.5]]}) of version 0.4
    const path = place("bytes.safetensors");
    saveSafetensors(path, { b: tensor([1, 2], { dtype: "uint8" }), a: tensor([[1.5]]) });
    const bytes = readFileSync(path);
    const size = Number(bytes.readBigUInt64LE());
    expect(size % 8).toBe(0);
    expect(JSON.parse(bytes.toString("utf8", 8, 8 + size))).toEqual({
      a: entry("F32", [1, 1], 0, 4),
      b: entry("U8", [2], 4, 6),
    });
    expect([...bytes.subarray(8 + size)]).toEqual([0, 0, 0xc0, 0x3f, 1, 2]);
  });

  test("writing to a loaded tensor changes neither the file nor another mapping", () => {
    const path = place("mapped.safetensors");
    saveSafetensors(path, { x: zeros([4]) });
    const mine = openSafetensors(path).get("x");
    mine.fill_(1);
    expect(values(openSafetensors(path).get("x"))).toEqual([0, 0, 0, 0]);
  });

  test("a failed write leaves the old file and no other", () => {
    const path = place("kept.safetensors");
    saveSafetensors(path, { x: tensor([1]) });
    const disposed = zeros([2]);
    disposed.dispose();
    expect(() => saveSafetensors(path, { x: disposed })).toThrow();
    expect(values(openSafetensors(path).get("x"))).toEqual([1]);
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});

describe("shards by an index", () => {
  const index = (map: unknown) => {
    writeFileSync(place("model.safetensors.index.json"), JSON.stringify({ metadata: {}, weight_map: map }));
    return openSafetensors(place("model.safetensors.index.json"));
  };
  saveSafetensors(place("model-1.safetensors"), { a: tensor([1, 2]), extra: zeros([1]) });
  saveSafetensors(place("model-2.safetensors"), { b: tensor([3]) });

  test("are one set of tensors, as the index names them", () => {
    const set = index({ a: "model-1.safetensors", b: "model-2.safetensors" });
    expect(set.keys()).toEqual(["a", "b"]);
    expect(values(set.get("b"))).toEqual([3]);
    expect(() => set.get("c")).toThrow(/index\.json.*"c"/);
  });
  test("a missing shard, a missing tensor, a path out of the folder and a broken index are errors", () => {
    expect(() => index({ a: "model-9.safetensors" })).toThrow(/model-9/);
    expect(() => index({ z: "model-1.safetensors" })).toThrow(/"z" should be in model-1/);
    expect(() => index({ a: "../model-1.safetensors" })).toThrow(/no shard beside the index/);
    expect(() => index({ a: 3 })).toThrow(/no shard beside the index/);
    expect(() => index(null)).toThrow(/weight_map/);
    writeFileSync(place("broken.index.json"), "{");
    expect(() => openSafetensors(place("broken.index.json"))).toThrow(/broken\.index\.json: no readable index/);
  });
});

type Mutation =
  | { kind: "set"; at: number; byte: number }
  | { kind: "cut" | "repeat"; at: number; count: number }
  | { kind: "end"; at: number };

/** A file with a byte changed, some bytes cut out or doubled, or its end cut off. */
function mutate(bytes: Buffer, mutation: Mutation): Buffer {
  const i = Math.min(mutation.at, bytes.length);
  switch (mutation.kind) {
    case "set": {
      const changed = Buffer.from(bytes);
      if (i < bytes.length) changed[i] = mutation.byte;
      return changed;
    }
    case "cut":
      return Buffer.concat([bytes.subarray(0, i), bytes.subarray(i + mutation.count)]);
    case "repeat":
      return Buffer.concat([bytes.subarray(0, i + mutation.count), bytes.subarray(i)]);
    case "end":
      return bytes.subarray(0, i);
  }
}

describe("hostile files are errors with the file's name", () => {
  const x = entry("F32", [2], 0, 8);
  const eight = new Uint8Array(8);
  const cases: [string, Uint8Array, RegExp][] = [
    ["empty", new Uint8Array(0), /only 0 bytes/],
    ["shorter than a length", new Uint8Array(5), /only 5 bytes/],
    ["a length beyond the file", fileOf("{}", eight, 1n << 63n), /claims 9223372036854775808 bytes/],
    ["a length past the limit", fileOf("{}", eight, 200_000_000n), /claims 200000000/],
    ["bad UTF-8", fileOf(Buffer.from([0x7b, 0xff, 0xfe, 0x7d])), /not valid UTF-8/],
    ["no JSON", fileOf("{nope}"), /no JSON/],
    ["a list", fileOf("[1]"), /does not begin with/],
    ["a key twice", fileOf(`{"x":${JSON.stringify(x)},"\\u0078":${JSON.stringify(x)}}`, eight), /"x" twice/],
    ["an unknown dtype", fileOf(JSON.stringify({ x: entry("F13", [2], 0, 8) }), eight), /dtype "F13"/],
    ["a dtype from Object's prototype", fileOf(JSON.stringify({ x: entry("toString", [2], 0, 8) }), eight), /dtype/],
    ["a negative size", fileOf(JSON.stringify({ x: entry("F32", [-2], 0, 8) }), eight), /shape/],
    ["a fraction", fileOf(JSON.stringify({ x: entry("F32", [0.5], 0, 2) }), eight), /shape/],
    ["offsets backwards", fileOf(JSON.stringify({ x: entry("F32", [2], 8, 0) }), eight), /needs 8 bytes, but has -8/],
    ["a product that overflows", fileOf(JSON.stringify({ x: entry("F32", [2 ** 40, 2 ** 40], 0, 0) })), /needs/],
    ["a wrong number of bytes", fileOf(JSON.stringify({ x: entry("F32", [3], 0, 8) }), eight), /needs 12 bytes/],
    ["an overlap", fileOf(JSON.stringify({ x, y: entry("F32", [1], 4, 8) }), eight), /overlap/],
    ["a hole", fileOf(JSON.stringify({ x: entry("F32", [1], 4, 8) }), eight), /belong to no tensor/],
    ["cut off", fileOf(JSON.stringify({ x }), new Uint8Array(7)), /cut off/],
    ["bytes at the end", fileOf(JSON.stringify({ x }), new Uint8Array(9)), /1 bytes at the end/],
    ["an unknown field", fileOf(JSON.stringify({ x: { ...x, more: 1 } }), eight), /unknown field "more"/],
    ["metadata that is no text", fileOf(JSON.stringify({ __metadata__: { a: 1 } })), /__metadata__\.a/],
  ];
  test.each(cases)("%s", (_, bytes, message) => {
    expect(() => openBytes(bytes)).toThrow(message);
    expect(() => openBytes(bytes)).toThrow(/hostile\.safetensors/);
  });

  test("10,000 mutations: an error with the file's name, or tensors that can all be read", () => {
    const path = place("mutated.safetensors");
    saveSafetensors(
      path,
      {
        "blocks.0.weight": fromTypedArray(
          Float32Array.from({ length: 12 }, (_, i) => i),
          [3, 4],
        ),
        bias: zeros([5]).bfloat16(),
        mask: tensor([true, false]),
      },
      { metadata: { format: "pt" } },
    );
    const good = readFileSync(path);
    const headerEnd = 8 + Number(good.readBigUInt64LE());
    const at = fc.oneof(
      { weight: 4, arbitrary: fc.nat(headerEnd - 1) },
      { weight: 1, arbitrary: fc.nat(good.length - 1) },
    );
    const mutation = fc.oneof(
      fc.record({
        kind: fc.constant("set" as const),
        at,
        byte: fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('0129-"{}[],:\\'))),
      }),
      fc.record({ kind: fc.constant("cut" as const), at, count: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ kind: fc.constant("repeat" as const), at, count: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ kind: fc.constant("end" as const), at }),
    );
    let refused = 0;
    let read = 0;
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 3 }), (mutations) => {
        const bytes = mutations.reduce(mutate, Buffer.from(good));
        try {
          scope(() => {
            for (const [, t] of openBytes(bytes).entries()) if (t.numel > 0) t.float().sum().item();
          });
          read++;
        } catch (error) {
          if (!(error as Error).message.includes("hostile.safetensors")) throw error;
          refused++;
        }
      }),
      { numRuns: 10_000, seed: 7 },
    );
    expect(refused).toBeGreaterThan(5000);
    expect(read).toBeGreaterThan(50); // changed values and names are still the format
  });
});
