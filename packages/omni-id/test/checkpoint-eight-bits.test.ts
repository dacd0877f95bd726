import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromTypedArray, noGrad, scope, type Tensor, zeros } from "@omni-id/torch";
import { afterAll, describe, expect, it } from "vitest";
import { loadFlux } from "../src/checkpoints/flux.ts";
import { fluxDiffusersKeys } from "../src/checkpoints/flux-keys.ts";
import { problemIn } from "./checkpoint-problem.ts";
import { SMALL, small, smallFlux, smallInput } from "./flux-small.ts";
import { difference } from "./golden.ts";

const folder = mkdtempSync(join(tmpdir(), "omni-id-eight-bits-"));
afterAll(() => rmSync(folder, { recursive: true }));
const { axes } = SMALL;
type State = Map<string, Tensor>;

const problem = (load: () => unknown): string => problemIn(folder, load);
const wanted = small.get("flux.io.output");

/** A file byte by byte, for dtypes that not every LibTorch has. */
function saveRaw(name: string, tensors: Record<string, { dtype: string; shape: readonly number[]; data: Uint8Array }>) {
  const header: Record<string, unknown> = {};
  let at = 0;
  for (const [key, { dtype, shape, data }] of Object.entries(tensors)) {
    header[key] = { dtype, shape, data_offsets: [at, at + data.length] };
    at += data.length;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const path = join(folder, name);
  writeFileSync(path, Buffer.concat([length, json, ...Object.values(tensors).map(({ data }) => data)]));
  return path;
}
describe("8-bit floats", () => {
  /** Each byte's value by the definition, and the nearest byte to a number. */
  const value = (code: "F8_E4M3" | "F8_E5M2", byte: number): number => {
    const [bits, bias] = code === "F8_E4M3" ? [3, 7] : [2, 15];
    const exponent = (byte & 127) >> bits;
    const share = (byte & (2 ** bits - 1)) / 2 ** bits;
    const size = exponent === 0 ? share * 2 ** (1 - bias) : (1 + share) * 2 ** (exponent - bias);
    return byte < 128 ? size : -size;
  };
  const finite = (code: "F8_E4M3" | "F8_E5M2") =>
    Array.from({ length: 256 }, (_, byte) => byte).filter((byte) =>
      code === "F8_E4M3" ? (byte & 127) !== 127 : (byte & 127) < 124,
    );
  const encode = (code: "F8_E4M3" | "F8_E5M2", values: ArrayLike<number>): Uint8Array => {
    const table = finite(code).map((byte) => [byte, value(code, byte)] as const);
    return Uint8Array.from(
      values,
      (x) => table.reduce((best, next) => (Math.abs(next[1] - x) < Math.abs(best[1] - x) ? next : best))[0],
    );
  };
  const state = smallFlux().stateDict();
  const floats = (t: Tensor) => ({ dtype: "F32", shape: t.shape, data: bytes(t.toTypedArray() as Float32Array) });
  const bytes = (array: Float32Array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  type Raw = Parameters<typeof saveRaw>[1];

  /** The same model with its large weights rounded to bytes, and what it is after rounding, in float32. */
  function rounded(code: "F8_E4M3" | "F8_E5M2", scaleName?: string, perRow = false) {
    const raw: Raw = {};
    const exact: State = new Map();
    for (const [key, t] of state) {
      if (t.ndim < 2) {
        raw[key] = floats(t);
        exact.set(key, t);
        continue;
      }
      const [rows] = t.shape;
      const scale = scope(() =>
        scaleName === undefined
          ? zeros([1, 1]).add(1)
          : perRow
            ? t.abs().amax([1], { keepdim: true }).div(400)
            : t.abs().amax([0, 1], { keepdim: true }).div(400),
      );
      const data = encode(code, t.div(scale).toTypedArray() as Float32Array);
      raw[key] = { dtype: code, shape: t.shape, data };
      if (scaleName) {
        const name = key.replace(/weight$/, scaleName);
        raw[name] = { ...floats(scale), shape: perRow ? [rows, 1] : [] };
        raw[key.replace(/weight$/, "input_scale")] = { ...floats(zeros([1])), shape: [] };
      }
      const back = fromTypedArray(
        Float32Array.from(data, (byte) => value(code, byte)),
        t.shape,
      );
      exact.set(key, back.mul(scale));
    }
    return { path: saveRaw("eight.safetensors", raw), exact };
  }

  it.each([
    ["F8_E4M3", undefined, false],
    ["F8_E5M2", undefined, false],
    ["F8_E4M3", "weight_scale", false],
    ["F8_E4M3", "scale_weight", false],
    ["F8_E4M3", "weight_scale", true],
  ] as const)("%s with %s become the same numbers in any dtype (scale a row: %s)", (code, scaleName, perRow) => {
    const { path, exact } = rounded(code, scaleName, perRow);
    const loaded = loadFlux(path, { axes, dtype: "float32" }).stateDict();
    for (const [key, t] of exact) expect(difference(loaded.get(key) as Tensor, t), key).toBeLessThan(1e-6);
    const narrow = loadFlux(path, { axes }).stateDict();
    for (const [key, t] of exact) {
      expect(narrow.get(key)?.dtype).toBe("bfloat16");
      expect(narrow.get(key)?.float().tolist(), key).toEqual(t.bfloat16().float().tolist());
    }
  });

  it("with every tensor in 8 bits, in diffusers' layout and in shards without an index", () => {
    const theirs = [...fluxDiffusersKeys(SMALL).toTheirs(state)];
    const raw = (tensors: typeof theirs): Raw =>
      Object.fromEntries(
        tensors.map(([key, t]) => [
          key,
          { dtype: "F8_E4M3", shape: t.shape, data: encode("F8_E4M3", t.contiguous().toTypedArray() as Float32Array) },
        ]),
      );
    saveRaw("part-00001-of-00002.safetensors", raw(theirs.slice(0, 50)));
    const second = saveRaw("part-00002-of-00002.safetensors", raw(theirs.slice(50)));
    const flux = loadFlux(second, { axes });
    expect(flux.img_in.weight.dtype).toBe("bfloat16");
    noGrad(() => expect(difference(flux.forward(smallInput()).float(), wanted)).toBeLessThan(0.3));
    rmSync(join(folder, "part-00001-of-00002.safetensors"));
    expect(problem(() => loadFlux(second, { axes }))).toBe(
      "part-00002-of-00002.safetensors: shard 1 of 2, part-00001-of-00002.safetensors, is not beside it; fetch it too",
    );
  });

  it("with scales of an unknown kind, or a NaN, are refused", () => {
    const of = (more: Raw, byte = 8): string => {
      const raw: Raw = Object.fromEntries([...state].map(([key, t]) => [key, floats(t)]));
      raw["img_in.weight"] = { dtype: "F8_E4M3", shape: [16, 64], data: new Uint8Array(1024).fill(byte) };
      return problem(() => loadFlux(saveRaw("odd.safetensors", { ...raw, ...more }), { axes }));
    };
    const scalar = floats(zeros([1]));
    expect(of({ "img_in.scale": scalar })).toBe(
      'odd.safetensors: "img_in.scale" scales 8-bit weights in a way that is not read here; take the same model as bfloat16, float16 or float8 .safetensors',
    );
    expect(of({ "img_in.weight_scale": { ...scalar, shape: [1] } }, 127)).toMatch(
      /"img_in.weight" holds values that are not finite/,
    );
    expect(of({ "img_in.weight_scale": floats(zeros([5])) })).toMatch(/scales \[5\] do not fit a weight \[16, 64\]/);
    expect(of({ "img_in.weight_scale": { dtype: "F8_E8M0", shape: [1], data: new Uint8Array(1) } })).toMatch(
      /in a way that is not read/,
    );
  });
});
