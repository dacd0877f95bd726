import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type IdentityRecord, parseIdentity, ShardSet, shardName, splitIdentities, writeShard } from "@omni-id/data";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = mkdtempSync(join(tmpdir(), "omni-id-shards-"));
afterAll(() => rmSync(root, { recursive: true }));

const landmarks = Array.from({ length: 136 }, (_, i) => i / 2);
const pose = { yaw: 10, pitch: -5, roll: 0 };
const record = (id: string, images = 2): IdentityRecord => ({
  id,
  source: "test",
  images: Array.from({ length: images }, () => ({ width: 64, height: 64, landmarks, pose, caption: "a person" })),
});
const bytes = (text: string) => new TextEncoder().encode(text);
const sample = (id: string) => ({
  record: record(id),
  images: [bytes(`${id} first`), bytes(`${id} second ${"x".repeat(700)}`)],
  masks: [bytes(`${id} mask`), undefined],
});

const folder = join(root, "set");
beforeAll(async () => {
  await writeShard(folder, 0, [sample("anna"), sample("bob")]);
  await writeShard(folder, 1, [sample("carol")]);
});
const copy = (name: string) => {
  const target = join(root, name);
  cpSync(folder, target, { recursive: true });
  return target;
};

describe("ShardSet", () => {
  test("gives back what was written, in any order", async () => {
    const set = await ShardSet.open(folder);
    expect(set.ids).toEqual(["anna", "bob", "carol"]);
    const carol = await set.read("carol");
    expect(carol.images).toEqual(record("carol").images);
    expect(Buffer.from(await carol.image(1)).toString()).toMatch(/^carol second x+$/);
    const anna = await set.read("anna");
    expect(Buffer.from((await anna.mask(0)) as Uint8Array).toString()).toBe("anna mask");
    expect(await anna.mask(1)).toBeUndefined();
  });

  test("the same samples give the same bytes; the fingerprint changes with the set", async () => {
    const again = join(root, "again");
    await writeShard(again, 0, [sample("anna"), sample("bob")]);
    expect(readFileSync(join(again, shardName(0)))).toEqual(readFileSync(join(folder, shardName(0))));
    const [all, part] = [await ShardSet.open(folder), await ShardSet.open(again)];
    expect(part.fingerprint).not.toBe(all.fingerprint);
    expect((await ShardSet.open(copy("copied"))).fingerprint).toBe(all.fingerprint);
  });

  test("what is missing is said: folder, identity, image", async () => {
    await expect(ShardSet.open(join(root, "nowhere"))).rejects.toThrow(/nowhere: no shards.*data synth/s);
    const set = await ShardSet.open(folder);
    await expect(set.read("dave")).rejects.toThrow(/no identity "dave"/);
    const bob = await set.read("bob");
    await expect(bob.image(5)).rejects.toThrow(/"bob" has no image 5/);
  });

  test.each([
    ["cut inside an entry", (path: string) => truncateSync(path, 700)],
    ["cut at its end mark", (path: string) => truncateSync(path, readFileSync(path).length - 1024)],
    ["not a tar file", (path: string) => writeFileSync(path, "x".repeat(4096))],
  ])("a shard %s names itself and what to do", async (what, damage) => {
    const place = copy(what.replaceAll(" ", "-"));
    damage(join(place, shardName(1)));
    await expect(ShardSet.open(place)).rejects.toThrow(/people-000001\.tar: .*delete it and run the command/s);
  });

  test("a person in two shards is refused", async () => {
    const place = copy("twice");
    await writeShard(place, 2, [sample("anna")]);
    await expect(ShardSet.open(place)).rejects.toThrow(/"anna" stands in an earlier shard/);
  });

  test("an id that would break a sample's key is refused before anything is written", async () => {
    await expect(writeShard(join(root, "ids"), 0, [sample("a.b")])).rejects.toThrow(/"a\.b"/);
  });
});

describe("parseIdentity", () => {
  const good = record("anna");
  const broken: [string, unknown, RegExp][] = [
    ["no JSON", "{", /x\.json: no JSON/],
    ["a list", [], /"id" is missing/],
    ["no source", { ...good, source: undefined }, /"source"/],
    ["no images", { ...good, images: [] }, /"images"/],
    ["half the landmarks", { ...good, images: [{ ...good.images[0], landmarks: [1, 2] }] }, /image 0: "landmarks"/],
    ["a pose of text", { ...good, images: [{ ...good.images[0], pose: { yaw: "1", pitch: 0, roll: 0 } }] }, /"pose"/],
    ["a size of zero", { ...good, images: [{ ...good.images[0], width: 0 }] }, /"width"/],
    ["null for an image", { ...good, images: [null] }, /image 0/],
  ];
  test.each(broken)("%s", (_, value, message) => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    expect(() => parseIdentity("x.json", text)).toThrow(message);
  });
  test("a good one comes back as it was", () => {
    expect(parseIdentity("x.json", JSON.stringify(good))).toEqual(good);
  });
});

describe("splitIdentities", () => {
  const ids = Array.from({ length: 1000 }, (_, i) => `person-${i}`);
  test("44 test and 44 validation people, apart, whatever the order of the ids", () => {
    const split = splitIdentities(ids);
    expect([split.test.length, split.validation.length, split.train.length]).toEqual([44, 44, 912]);
    expect(new Set([...split.test, ...split.validation, ...split.train]).size).toBe(1000);
    expect(new Set(splitIdentities([...ids].reverse()).test)).toEqual(new Set(split.test));
    expect(splitIdentities(ids, { seed: 1 }).test).not.toEqual(split.test);
  });
  test("more people move nobody from test to train", () => {
    // Only somebody with a lower rank can take a place.
    const [small, large] = [splitIdentities(ids), splitIdentities([...ids, "new-1", "new-2"])];
    expect(small.test.filter((id) => large.train.includes(id))).toEqual([]);
  });
  test("a small set keeps most for training", () => {
    expect(splitIdentities(ids.slice(0, 20)).test).toHaveLength(2);
    // One person alone has nobody to be compared with.
    expect(splitIdentities(ids.slice(0, 10)).test).toHaveLength(2);
    expect(splitIdentities(ids.slice(0, 10)).validation).toHaveLength(2);
  });
});
