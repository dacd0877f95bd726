import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manualSeed, noGrad, randn, scope } from "@omni-id/torch";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildEncoder, buildMaskedDecoder } from "../src/weights/build.ts";
import type { WEIGHTS_DTYPES } from "../src/weights/file.ts";
import { EncoderBundle, loadEncoder, loadMaskedDecoder, saveWeights } from "../src/weights/first-stage.ts";
import { tinyPreset, writeTinyWeights } from "./tiny-weights.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-weights-"));
afterAll(() => rmSync(root, { recursive: true }));
const place = (name: string) => join(root, name);

beforeAll(() => writeTinyWeights(place("float32")));

/** The same weights again, in another dtype. */
async function rewrite(dtype: (typeof WEIGHTS_DTYPES)[number]): Promise<string> {
  const folder = place(`as-${dtype}`);
  const encoder = await loadEncoder(place("float32"));
  const decoder = await loadMaskedDecoder(place("float32"), encoder);
  const { bundle, preset, metadata } = encoder;
  await writeTinyWeights(folder); // files that are replaced
  await saveWeights(folder, { bundle, decoder, preset, metadata, dtype });
  return folder;
}

describe("weights files", () => {
  it("hold the same numbers in every dtype, to that dtype's precision, and load as float32", async () => {
    const before = await loadEncoder(place("float32"));
    for (const [dtype, tolerance] of [
      ["float32", 0],
      ["float16", 2 ** -11],
      ["bfloat16", 2 ** -8],
    ] as const) {
      const folder = await rewrite(dtype);
      const after = await loadEncoder(folder);
      for (const [key, tensor] of after.bundle.stateDict()) {
        const wanted = before.bundle.stateDict().get(key) ?? tensor;
        expect(tensor.dtype).toBe("float32");
        const off = scope(() => tensor.sub(wanted).abs().sub(wanted.abs().mul(tolerance)).flatten().amax([0]).item());
        expect(off, key).toBeLessThanOrEqual(1e-7); // float16's smallest step
      }
      expect(after.metadata.stage).toBe("mtd");
      await loadMaskedDecoder(folder, after); // names the encoder of its own folder
    }
    const size = (name: string) => statSync(join(place(name), "masked-decoder.safetensors")).size;
    expect(size("as-float16")).toBeLessThan(0.55 * size("float32"));
  });

  it("are bound to each other by hash: a decoder goes with its own encoder only", async () => {
    const half = await loadEncoder(await rewrite("float16"));
    await expect(loadMaskedDecoder(place("float32"), half)).rejects.toThrow(/take both from one run/);
  });

  it("refuse values that float16 cannot hold, and leave what was there", async () => {
    await writeTinyWeights(place("large"));
    const file = join(place("large"), "omni-id-encoder.safetensors");
    const before = readFileSync(file);
    manualSeed(3);
    const preset = tinyPreset();
    const bundle = new EncoderBundle(buildEncoder(preset));
    scope(() => noGrad(() => bundle.encoder.query.copy_(randn([4, 16]).mul(1e6))));
    const weights = { bundle, decoder: buildMaskedDecoder(preset), preset, metadata: {} };
    await expect(saveWeights(place("large"), { ...weights, dtype: "float16" })).rejects.toThrow(
      /encoder\.query: .*float16.*bfloat16/,
    );
    expect(readFileSync(file).equals(before)).toBe(true);
    await saveWeights(place("large"), { ...weights, dtype: "bfloat16" });
  });
});
