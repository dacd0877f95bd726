import { spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onDevice } from "@omni-id/torch";
import { afterAll, expect, it } from "vitest";
import { Flux } from "../src/backbones/flux.ts";
import { FLUX2_KLEIN } from "../src/backbones/flux-options.ts";

const folder = mkdtempSync(join(tmpdir(), "omni-id-fp8-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A file of klein's own width and so many of its blocks: matrices in 8 bits, each with its scale. All zeros, and sparse. */
function kleinFile(doubleBlocks: number, singleBlocks: number): string {
  const path = join(folder, `klein-${doubleBlocks}-${singleBlocks}.safetensors`);
  const header: Record<string, unknown> = {};
  let end = 0;
  const add = (key: string, dtype: string, shape: readonly number[], bytes: number) => {
    header[key] = { dtype, shape, data_offsets: [end, end + bytes] };
    end += bytes;
  };
  for (const [key, { shape, numel }] of onDevice("meta", () =>
    new Flux({ ...FLUX2_KLEIN, doubleBlocks, singleBlocks }).stateDict(),
  )) {
    if (shape.length < 2) add(key, "BF16", shape, 2 * numel);
    else {
      add(key, "F8_E4M3", shape, numel);
      add(key.replace(/weight$/, "weight_scale"), "F32", [], 4);
    }
  }
  const json = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(json.length));
  const file = openSync(path, "w");
  writeSync(file, Buffer.concat([size, json]));
  ftruncateSync(file, 8 + json.length + end);
  closeSync(file);
  return path;
}

it("fp8 blocks of full size become bfloat16 within 0.3 GB above the model's own size, however many they are", () => {
  const script = fileURLToPath(new URL("fixtures/fp8-load.mjs", import.meta.url));
  const load = (double: number, single: number) => {
    const args = [script, kleinFile(double, single), `${double}`, `${single}`];
    const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect(status, stderr).toBe(0);
    return JSON.parse(stdout) as { bytes: number; taken: number; dtypes: string[] };
  };
  const [few, more] = [load(1, 1), load(1, 3)];
  for (const { bytes, taken, dtypes } of [few, more]) {
    expect(dtypes).toEqual(["bfloat16"]);
    expect(taken - bytes).toBeLessThan(0.3e9);
  }
  // What is taken beside the model does not grow with it: one tensor after the other.
  expect(more.bytes - few.bytes).toBeGreaterThan(0.4e9);
  expect(more.taken - more.bytes - (few.taken - few.bytes)).toBeLessThan(0.1e9);
}, 120_000);
