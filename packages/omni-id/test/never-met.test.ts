import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  NANO_RECIPE,
  readRecipe,
  ShardSet,
  splitIdentities,
  splitOf,
  syntheticId,
  writeSyntheticShards,
} from "@omni-id/data";
import { saveSafetensors, zeros } from "@omni-id/torch";
import { afterAll, describe, expect, it } from "vitest";
import { neverMet, renderedSets } from "../src/evaluate/never-met.ts";
import { resolvePreset } from "../src/presets/index.ts";
import { commandsOf } from "../src/train/commands.ts";
import { shippedWeights } from "../src/weights/folder.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-never-met-"));
afterAll(() => rmSync(root, { recursive: true }));

/** What a set says of itself without its pictures. */
function rendered(identities: number, seed: number) {
  const folder = join(root, `${identities}-${seed}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "recipe.json"), JSON.stringify({ ...NANO_RECIPE, identities, seed, shardSize: 64 }));
  return { folder, ids: Array.from({ length: identities }, (_, i) => syntheticId(i)) };
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
  it("are those of the test part whom the larger set did not train on, and how many are left out is told", () => {
    const shards = rendered(40, 0);
    const told: string[] = [];
    const asked = { part: "test", weights: [shippedWeights()], note: (text: string) => told.push(text) } as const;
    const left = neverMet(shards, asked);
    const { test } = splitOf(shards);
    expect(left).toEqual(test.filter((id) => !trainedOf(2600).has(id)));
    expect(left.length).toBeLessThan(test.length);
    expect(told).toEqual([expect.stringMatching(/4 test people 1 are left out: .*\(omni-id data synth\)/)]);
  });

  it("are all of the set that the weights were trained on, and all of another seed", () => {
    const own = rendered(40, 0);
    const quiet = { part: "test", note: () => expect.unreachable() } as const;
    expect(neverMet(own, { ...quiet, weights: [trained("own", [own.folder])] })).toEqual(splitOf(own).test);
    const other = rendered(12, 3);
    expect(neverMet(other, { ...quiet, weights: [shippedWeights()] })).toEqual(splitOf(other).test);
    expect(neverMet(own, { ...quiet, weights: [join(root, "nowhere")] })).toEqual(splitOf(own).test);
  });

  it("are known of weights that several sets have trained", () => {
    const [small, other] = [rendered(20, 0), rendered(12, 3)];
    const weights = [trained("both", [other.folder, small.folder])];
    const asked = { part: "validation", weights, note: () => {} } as const;
    const large = rendered(40, 0);
    expect(neverMet(large, asked)).toEqual(splitOf(large).validation.filter((id) => !trainedOf(20).has(id)));
    expect(neverMet(large, asked).length).toBeLessThan(splitOf(large).validation.length);
  });

  it("are known of weights that went on with another set", () => {
    const first = { data: "omni-id data synth" };
    const then = { data: "omni-id data synth --identities 20" };
    expect(renderedSets([first, then])).toEqual([first.data, then.data]);
    const told = { ...then, rendered: renderedSets([first, then]).join("; ") };
    expect(renderedSets([told, {}, then])).toEqual([then.data, first.data]);
  });

  it("must be two: else it says what to do, of a set as it is rendered", async () => {
    const out = join(root, "set");
    await writeSyntheticShards({ identities: 12, images: 1, size: 32, seed: 0, out, workers: 1 });
    const shards = await ShardSet.open(out);
    expect(shards.ids).toEqual(rendered(12, 0).ids);
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
