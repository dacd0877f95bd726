import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manualSeed, nn, openSafetensors, randn, saveSafetensors, scope, tensor } from "@omni-id/torch";
import { afterAll, describe, expect, it } from "vitest";
import { resolvePreset } from "../src/presets/index.ts";
import { fromEightBits, toEightBits } from "../src/weights/eight-bits.ts";
import { openWeightsFile, saveWeightsFile } from "../src/weights/file.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-eight-bits-"));
afterAll(() => rmSync(root, { recursive: true }));
const preset = resolvePreset("nano-scenes");

class Two extends nn.Module {
  readonly large = new nn.Linear({ in: 128, out: 64 });
  readonly conv = new nn.Conv2d({ in: 32, out: 16, kernel: 3 });
  readonly small = new nn.Linear({ in: 4, out: 4 });
}

describe("weights in 8 bits", () => {
  it("are off by half a step of their row at most, and a row of zeros stays one", () => {
    manualSeed(2);
    const weight = scope(() => randn([65, 64]).mul(tensor(Array.from({ length: 65 }, (_, row) => [row * 1e-3]))));
    const { values, scale } = toEightBits(weight) ?? {};
    if (!values || !scale) throw new Error("a large matrix");
    expect([values.dtype, scale.shape]).toEqual(["int8", [65, 1]]);
    const off = scope(() => values.float().mul(scale).sub(weight).abs());
    expect(scope(() => off.sub(scale.mul(0.501)).amax([0, 1]).item())).toBeLessThanOrEqual(0);
    expect(scope(() => off.select(0, 0).amax([0]).item())).toBe(0);
    expect(toEightBits(randn([64]))).toBeUndefined();
    expect(toEightBits(randn([8, 8]))).toBeUndefined();
  });

  it("make a file of a quarter, and load as float32", async () => {
    const module = new Two();
    const [whole, short] = ["whole", "short"].map((name) => join(root, `${name}.safetensors`));
    await saveWeightsFile(whole, module, { preset, metadata: {} });
    await saveWeightsFile(short, module, { preset, metadata: {}, dtype: "int8" });
    const { tensors } = await openWeightsFile(short, "base");
    expect([...tensors.keys()].sort()).toEqual([...module.stateDict().keys()].sort());
    for (const [key, value] of module.stateDict()) {
      const read = tensors.get(key);
      expect(read?.dtype).not.toBe("int8");
      const most = scope(() => value.abs().flatten().amax([0]).item()) as number;
      expect(
        scope(() => read?.float().sub(value).abs().flatten().amax([0]).item()),
        key,
      ).toBeLessThan(most / 250);
    }
    const kept = openSafetensors(short);
    expect(kept.get("large.weight_scale").shape).toEqual([64, 1]);
    expect(kept.get("conv.weight_scale").shape).toEqual([16, 1, 1, 1]);
    kept.close();
    const header = 8 * 1024; // the preset
    expect(statSync(short).size - header).toBeLessThan(0.3 * statSync(whole).size);
  });

  it("are refused without their scale, and where they are not finite", async () => {
    const values = tensor([[1, 2]], { dtype: "int8" });
    expect(() => fromEightBits(new Map([["a.weight", values]]), "here.safetensors")).toThrow(
      /here\.safetensors: "a\.weight" is in 8 bits, and its scale is missing/,
    );
    const module = new Two();
    scope(() => module.large.weight.detach().select(0, 3).fill_(Number.NaN));
    const file = join(root, "odd.safetensors");
    await expect(saveWeightsFile(file, module, { preset, metadata: {}, dtype: "int8" })).rejects.toThrow(
      /large\.weight: its values are not finite/,
    );
    saveSafetensors(file, { "a.weight": values }, { metadata: { preset: JSON.stringify(preset) } });
    await expect(openWeightsFile(file, "base")).rejects.toThrow(/its scale is missing/);
  });
});
