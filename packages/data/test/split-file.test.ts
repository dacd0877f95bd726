import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ShardSet, splitIdentities, splitOf, writeShard } from "@omni-id/data";
import { afterAll, describe, expect, test } from "vitest";
import { readSplit, splitBySource, writeSplit } from "../src/split-file.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-split-"));
afterAll(() => rmSync(root, { recursive: true }));

/** 600 videos with one to three people each. */
const people = Array.from({ length: 600 }, (_, video) =>
  Array.from({ length: 1 + (video % 3) }, (_, i) => ({ id: `v${video}-p${i}`, source: `v${video}` })),
).flat();

describe("splitBySource", () => {
  test("holds out 44 whole sources for testing and 44 for validation", () => {
    const { test: held, validation } = splitBySource(people);
    expect([held.sources.length, validation.sources.length]).toEqual([44, 44]);
    for (const part of [held, validation]) {
      const own = people.filter(({ source }) => part.sources.includes(source)).map(({ id }) => id);
      expect(part.ids).toEqual(own);
    }
    expect(held.sources.some((source) => validation.sources.includes(source))).toBe(false);
    expect(new Set(splitBySource([...people].reverse()).test.sources)).toEqual(new Set(held.sources));
    expect(splitBySource(people, { seed: 1 }).test.sources).not.toEqual(held.sources);
  });
});

describe("splitOf", () => {
  const sample = (id: string) => ({
    record: {
      id,
      source: "v",
      images: [
        { width: 8, height: 8, landmarks: new Array(136).fill(1), pose: { yaw: 0, pitch: 0, roll: 0 }, caption: "" },
      ],
    },
    images: [new Uint8Array(9)],
  });
  test("is what split.json says; without one, by identity", async () => {
    const folder = join(root, "set");
    const ids = people.slice(0, 40).map(({ id }) => id);
    await writeShard(folder, 0, ids.map(sample));
    const set = await ShardSet.open(folder);
    expect(splitOf(set)).toEqual(splitIdentities(ids));
    const written = splitBySource(people.slice(0, 40));
    writeSplit(folder, written);
    expect(readSplit(folder)).toEqual(written);
    const split = splitOf(set);
    expect(split.test).toEqual(ids.filter((id) => written.test.ids.includes(id)));
    expect([...split.train, ...split.validation, ...split.test].sort()).toEqual([...ids].sort());
    writeFileSync(join(folder, "split.json"), "{");
    expect(() => splitOf(set)).toThrow(/split\.json: damaged .*curate or merge again/);
  });
});
