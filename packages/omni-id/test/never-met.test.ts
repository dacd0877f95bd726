import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readRecipe, ShardSet, splitIdentities, splitOf, syntheticId, writeSyntheticShards } from "@omni-id/data";
import { saveSafetensors, zeros } from "@omni-id/torch";
import { afterAll, describe, expect, it } from "vitest";
import { neverMet } from "../src/evaluate/never-met.ts";
import { resolvePreset } from "../src/presets/index.ts";
import { commandsOf } from "../src/train/commands.ts";
import { shippedWeights } from "../src/weights/folder.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-never-met-"));
afterAll(() => rmSync(root, { recursive: true }));

async function render(identities: number, seed: number): Promise<ShardSet> {
  const out = join(root, `${identities}-${seed}`);
  await writeSyntheticShards({ identities, images: 1, size: 32, seed, out, workers: 1 });
  return ShardSet.open(out);
}

/** Weights that say they were trained on some sets. */
function trained(name: string, data: readonly string[]): string {
  const folder = join(root, name);
  mkdirSync(folder);
  const note = { stage: "mtd", preset: resolvePreset("nano"), seed: 0, precision: "float32" };
  saveSafetensors(join(folder, "some.safetensors"), { x: zeros([1]) }, { metadata: commandsOf({ ...note, data }) });
  return folder;
}

/** Whom a set of so many people with seed 0 trains on, by the rule of the split alone. */
const trainedOf = (count: number) =>
  new Set(splitIdentities(Array.from({ length: count }, (_, i) => syntheticId(i))).train);

describe("people whom weights have never met", () => {
  it("are those of the test part whom the larger set did not train on, and how many are left out is told", async () => {
    const shards = await render(40, 0);
    const told: string[] = [];
    const asked = { part: "test", weights: [shippedWeights()], note: (text: string) => told.push(text) } as const;
    const left = neverMet(shards, asked);
    const { test } = splitOf(shards);
    expect(left).toEqual(test.filter((id) => !trainedOf(2600).has(id)));
    expect(left.length).toBeLessThan(test.length);
    expect(told).toEqual([expect.stringMatching(/4 test people 1 are left out: .*\(omni-id data synth\)/)]);
  });

  it("are all of the set that the weights were trained on, and all of another seed", async () => {
    const own = await render(40, 0);
    const quiet = { part: "test", note: () => expect.unreachable() } as const;
    expect(neverMet(own, { ...quiet, weights: [trained("own", [own.folder])] })).toEqual(splitOf(own).test);
    const other = await render(12, 3);
    expect(neverMet(other, { ...quiet, weights: [shippedWeights()] })).toEqual(splitOf(other).test);
    expect(neverMet(own, { ...quiet, weights: [join(root, "nowhere")] })).toEqual(splitOf(own).test);
  });

  it("are known of weights that several sets have trained", async () => {
    const [small, other] = [await render(20, 0), await render(12, 3)];
    const weights = [trained("both", [other.folder, small.folder])];
    const asked = { part: "validation", weights, note: () => {} } as const;
    const large = await render(40, 0);
    expect(neverMet(large, asked)).toEqual(splitOf(large).validation.filter((id) => !trainedOf(20).has(id)));
    expect(neverMet(large, asked).length).toBeLessThan(splitOf(large).validation.length);
  });

  it("must be two: else it says what to do", async () => {
    const shards = await render(12, 0);
    const asked = { part: "test", weights: [shippedWeights()], note: () => {} } as const;
    expect(() => neverMet(shards, asked)).toThrow(/1 are left out: .*omni-id data synth --seed 1 -o FOLDER/);
  });
});

describe("the recipe of a rendered set", () => {
  it("is not that of a curated one, which lies in a file of the same name", () => {
    const folder = mkdtempSync(join(root, "curated-"));
    writeFileSync(join(folder, "recipe.json"), JSON.stringify({ version: 3, kind: "photos", settings: { size: 96 } }));
    expect(readRecipe(folder)).toBeUndefined();
    const note = { stage: "mtd", preset: resolvePreset("nano"), seed: 0, precision: "float32" };
    expect(commandsOf({ ...note, data: [folder] })).not.toHaveProperty("data");
  });
});
