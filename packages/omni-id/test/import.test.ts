import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { outcomes, renderPictures, ShardSet } from "@omni-id/data";
import { loadImage, type RgbImage, toSharp } from "@omni-id/face";
import { loadSafetensors, type Tensor } from "@omni-id/torch";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cli } from "./command-line.ts";
import { TINY_FIRST_STAGE } from "./tiny-weights.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-import-"));
afterAll(() => rmSync(root, { recursive: true }));
const place = (...names: string[]) => join(root, ...names);
const photos = place("photos");
/** Rendered people look more alike to the recogniser than real ones do. */
const LIKENESS = ["sameFace=0.5", "samePerson=0.55"];
const RECIPE = ["--set", "minSize=60", "size=96", "minQuality=0.01", "shardSize=2", ...LIKENESS, "--workers", "2"];

const SIDE = 160;
/** Some photographs of a made-up person. */
async function shoot(identity: number, count: number): Promise<RgbImage[]> {
  const { images } = await renderPictures({ seed: 31, identity, images: count, size: SIDE });
  return images.map(({ image }) => image);
}
async function save(path: string, image: RgbImage): Promise<void> {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, await toSharp(image).jpeg({ quality: 92 }).toBuffer());
}

const importInto = (out: string, ...more: string[]) =>
  cli("data", "import", photos, "-o", place(out), ...RECIPE, ...more);

function filesOf(folder: string): Record<string, string> {
  const all = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = all.map((entry) => join(entry.parentPath, entry.name)).sort();
  return Object.fromEntries(paths.map((path) => [relative(folder, path), readFileSync(path).toString("base64")]));
}
function sameSet(one: string, two: string): void {
  const [a, b] = [filesOf(place(one)), filesOf(place(two))];
  Reflect.deleteProperty(a, "merged-from.json");
  expect(Object.keys(a)).toEqual(Object.keys(b));
  for (const [name, bytes] of Object.entries(a)) expect(b[name] === bytes, `${name} differs`).toBe(true);
}
/** What became of each photo of a person: kept, or why not. */
function fatesOf(set: string, person: string): Record<string, (string | undefined)[]> {
  const outcome = [...outcomes(place(set))].find(({ video }) => video.video === person);
  const clips = outcome?.clips ?? [];
  return Object.fromEntries(
    clips.map(({ clip, refused }) => [
      clip,
      refused ? [refused] : (outcome?.faces ?? []).filter((face) => face.clip === clip).map(({ why }) => why ?? "kept"),
    ]),
  );
}

beforeAll(async () => {
  const [ann, bob, eve, lou] = [await shoot(0, 5), await shoot(1, 3), await shoot(2, 1), await shoot(3, 2)];
  for (const [i, image] of ann.entries()) await save(join(photos, "Ann Äß", `${i}.jpg`), image);
  await save(join(photos, "Ann Äß", "7 wrong.jpg"), bob[2]);
  await save(join(photos, "Ann Äß", "8 again.jpg"), ann[0]);
  for (const [i, image] of bob.slice(0, 2).entries()) await save(join(photos, "bob", `${i}.jpg`), image);
  await save(join(photos, "eve", "only.jpg"), eve[0]);
  for (const [i, image] of lou.entries()) await save(join(photos, "lou", `${i}.jpg`), image);
  writeFileSync(join(photos, "lou", "1.txt"), "lou in a hat\n");
  writeFileSync(join(photos, "lou", "broken.jpg"), readFileSync(join(photos, "lou", "1.jpg")).subarray(0, 900));
  writeFileSync(join(photos, "lou", "empty.png"), "");
  cpSync(join(photos, "bob", "1.jpg"), join(photos, "lou", "of bob.jpg"));
  await save(join(photos, "nobody", "wall.jpg"), {
    width: 90,
    height: 90,
    data: new Uint8Array(90 * 90 * 3).fill(120),
  });
  mkdirSync(join(photos, "nothing", "at", "all"), { recursive: true });
  const { code, err } = await importInto("whole");
  expect([code, err]).toEqual([0, expect.stringMatching(/lou, broken.jpg: the file is damaged or cut off/)]);
});

describe("data import", () => {
  it("keeps as many pictures as each person has; who is somebody else, or there already, is left out with the reason", async () => {
    const set = await ShardSet.open(place("whole"));
    const people = await Promise.all(set.ids.map((id) => set.read(id)));
    expect(people.map(({ source, images }) => [source, images.length])).toEqual([
      ["Ann Äß", 5],
      ["bob", 1],
      ["eve", 1],
      ["lou", 2],
    ]);
    const ann = fatesOf("whole", "Ann Äß");
    expect(ann["7 wrong.jpg"]).toEqual(["stranger"]);
    expect([ann["0.jpg"], ann["8 again.jpg"]].flat().sort()).toEqual(["duplicate", "kept"]);
    expect(fatesOf("whole", "lou")).toMatchObject({
      "broken.jpg": [expect.stringMatching(/damaged or cut off/)],
      "empty.png": [expect.anything()],
      "of bob.jpg": ["the same picture stands under another person too"],
    });
    expect(fatesOf("whole", "bob")["1.jpg"]).toEqual(["the same picture stands under another person too"]);
    expect(fatesOf("whole", "nobody")).toEqual({ "wall.jpg": [] });
  });

  it("writes aligned pictures with landmarks, pose, mask, quality, and words: given ones, else what is measured", async () => {
    const set = await ShardSet.open(place("whole"));
    const lou = await set.read("lou-p0");
    expect(lou.images.map(({ from }) => from?.clip)).toEqual(["0.jpg", "1.jpg"]);
    expect(lou.images[1].caption).toBe("lou in a hat");
    // Of the people here lou alone wears glasses.
    const others = await Promise.all(set.ids.filter((id) => id !== "lou-p0").map((id) => set.read(id)));
    expect(others.flatMap(({ images }) => images.map(({ caption }) => caption)).join()).not.toMatch(/glasses/);
    expect(lou.images[0].caption).toMatch(
      /^a photo of a person with glasses, (facing the camera|turned (far )?to the (left|right)|looking (up|down)).*(light|light from the (left|right))$/,
    );
    for (const [i, { width, landmarks, quality }] of lou.images.entries()) {
      expect([width, landmarks.length]).toEqual([96, 136]);
      expect(quality).toBeGreaterThan(0.01);
      const mask = await loadImage((await lou.mask(i)) as Uint8Array, { name: "mask" });
      expect(mask.data[(Math.floor(landmarks[61]) * 96 + Math.floor(landmarks[60])) * 3]).toBe(255);
    }
  });

  it("reports it in one file, and leaves no features behind", () => {
    const report = readFileSync(place("whole", "report.html"), "utf8");
    expect(report).toContain("<h1>4 people, 9 pictures</h1>");
    expect(report).toMatch(/does not look like the rest of its person/);
    expect(report).toMatch(/4 photos were of no use/);
    expect(report).not.toMatch(/video|frames? looked|(src|href)="(?!data:)/);
    const { kind, summary } = JSON.parse(readFileSync(place("whole", "curation.json"), "utf8"));
    expect(kind).toBe("photos");
    const dropped = Object.values(summary.dropped as Record<string, number>).reduce((sum, count) => sum + count, 0);
    expect(dropped + summary.kept).toBe(summary.faces);
    expect(readdirSync(place("whole", "work"))).toEqual([]);
    const texts = Object.values(filesOf(place("whole", "journal"))).map((bytes) => Buffer.from(bytes, "base64"));
    expect(texts.some((bytes) => bytes.includes('"feature"'))).toBe(false);
  });

  it("killed at any place, it ends in the same bytes", async () => {
    const bin = fileURLToPath(new URL("../bin/omni-id.mjs", import.meta.url));
    const seen = () => {
      const folders = ["work", "journal"].map((name) => place("killed", name)).filter((folder) => existsSync(folder));
      try {
        return folders.reduce((sum, folder) => sum + readdirSync(folder, { recursive: true }).length, 0);
      } catch {
        return 0; // a file went while we looked
      }
    };
    let kills = 0;
    for (const at of [1, 4, 7, 9]) {
      const args = [bin, "data", "import", photos, "-o", place("killed"), ...RECIPE];
      const child = spawn(process.execPath, args, { stdio: "ignore" });
      const watch = setInterval(() => {
        if (seen() >= at) child.kill("SIGKILL");
      }, 3);
      await new Promise((resolve) => child.once("close", resolve));
      clearInterval(watch);
      kills += Number(child.signalCode === "SIGKILL");
    }
    expect(kills).toBeGreaterThanOrEqual(3);
    expect(await importInto("killed")).toMatchObject({ code: 0 });
    sameSet("killed", "whole");
  });

  it("two parts come to what one process makes; a table of the same people does too", async () => {
    for (const i of [1, 2]) expect(await importInto(`part${i}`, "--shard", `${i}/2`)).toMatchObject({ code: 0 });
    expect(await cli("data", "merge", place("part1"), place("part2"), "-o", place("merged"))).toMatchObject({
      code: 0,
    });
    sameSet("merged", "whole");
    expect(await importInto("whole")).toMatchObject({
      code: 0,
      out: expect.stringMatching(/4 people with 9 pictures/),
    });
  });

  it("a person whose photos change is done again, the others are not", async () => {
    cpSync(place("whole"), place("grown"), { recursive: true });
    const more = place("more");
    cpSync(photos, more, { recursive: true });
    await save(join(more, "eve", "second.jpg"), (await shoot(2, 3))[2]);
    const { code, out } = await cli("data", "import", more, "-o", place("grown"), ...RECIPE, "--json");
    expect([code, JSON.parse(out).frames]).toEqual([0, 2]);
    expect(fatesOf("grown", "eve")).toEqual({ "only.jpg": ["kept"], "second.jpg": ["kept"] });
    expect((await (await ShardSet.open(place("grown"))).read("eve-p0")).images).toHaveLength(2);
    expect(await cli("data", "import", more, "-o", place("at-once"), ...RECIPE)).toMatchObject({ code: 0 });
    sameSet("grown", "at-once");
  });

  it("takes a person out again, and keeps them out", async () => {
    cpSync(place("whole"), place("removed"), { recursive: true });
    const { code, out } = await cli("data", "remove", place("removed"), "--person", "Ann Äß", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ identities: [expect.stringMatching(/^Ann_-[0-9a-f]{8}-p0$/)] });
    expect(await importInto("removed")).toMatchObject({ code: 0 });
    expect((await ShardSet.open(place("removed"))).ids).toEqual(["bob-p0", "eve-p0", "lou-p0"]);
    expect(await cli("data", "remove", place("removed"))).toMatchObject({ code: 2 });
  });

  it("one person alone, called by anything, beside folders of nothing: imported, shown as text, and told to be too few", async () => {
    const name = `a\n<b>&"'; $(x) 名`;
    const odd = place("odd");
    for (const [i, image] of (await shoot(1, 2)).entries()) await save(join(odd, name, `${i} "?.jpg`), image);
    mkdirSync(join(odd, "nothing", "at all"), { recursive: true });
    const { code, out } = await cli("data", "import", odd, "-o", place("alone"), ...RECIPE);
    expect([code, out]).toEqual([0, expect.stringMatching(/1 people with 2 pictures, of 1 people and 2 photos/)]);
    const set = await ShardSet.open(place("alone"));
    expect(set.ids).toEqual([expect.stringMatching(/^[\w-]+-[0-9a-f]{8}-p0$/)]);
    expect((await set.read(set.ids[0])).source).toBe(name);
    const report = readFileSync(place("alone", "report.html"), "utf8");
    expect(report).not.toContain("<b>&");
    const train = (stage: string, ...more: string[]) =>
      cli(
        "train",
        stage,
        "--data",
        place("alone"),
        "--cache",
        place("cache"),
        "--out",
        place(`${stage}-alone`),
        ...more,
      );
    expect(await train("mtd", "--set", ...TINY_FIRST_STAGE, "mtd.optimisation.steps=2")).toMatchObject({
      code: 1,
      err: expect.stringMatching(/a step wants \d+ people/),
    });
    expect(await cli("data", "remove", place("alone"), "--person", name)).toMatchObject({ code: 0 });
  });

  it("what cannot work is said at once", async () => {
    const run = (...args: string[]) => cli("data", "import", ...args, "-o", place("x"));
    mkdirSync(place("void", "in", "void"), { recursive: true });
    expect(await run(place("void"))).toMatchObject({
      code: 1,
      err: expect.stringMatching(/no photos here; wanted is/),
    });
    expect(await run(place("nowhere"))).toMatchObject({
      code: 1,
      err: expect.stringMatching(/nowhere: no such folder or table/),
    });
    writeFileSync(place("gone.csv"), "file,person\nnot-here.jpg,ann\n");
    expect(await run(place("gone.csv"))).toMatchObject({ code: 1, err: expect.stringMatching(/none of the 1 photos/) });
    expect(await importInto("whole", "--set", "minSize=61")).toMatchObject({
      code: 1,
      err: expect.stringMatching(/begun with minSize 60, not 61/),
    });
  });
});

describe("a set of photos", () => {
  it("trains, mixed with another one: the flow base, and stage one on those who have two photos", async () => {
    const common = ["--data", place("whole"), place("grown"), "--weight", "3", "1", "--cache", place("cache")];
    const small = ["flow.flux.width=32", "flow.flux.heads=2", "flow.flux.axes=[4,6,6]", "flow.flux.singleBlocks=1"];
    const base = await cli(
      ...["train", "base", ...common, "--out", place("base"), "--set", ...small],
      ...["flow.base.batch=3", "flow.base.optimisation.steps=3"],
    );
    expect([base.code, base.err]).toEqual([0, expect.stringMatching(/8 people to train on/)]);
    expect(base.err).toMatch(/whole: 4 people, weight 3/);
    const steps = ["mtd.optimisation.steps=3", "mtd.batch=2"];
    const mtd = await cli(
      ...["train", "mtd", ...common, "--out", place("mtd"), "--set", ...TINY_FIRST_STAGE, ...steps],
    );
    expect([mtd.code, mtd.err]).toEqual([0, expect.stringMatching(/done: 3 steps/)]);
    const copied = ["alteredInputs.copies=2", "alteredInputs.share=0.5"];
    const again = await cli(
      ...["train", "mtd", "--data", place("whole"), "--cache", place("copied"), "--out", place("mtd-copied"), "--set"],
      ...[...TINY_FIRST_STAGE, ...steps, ...copied],
    );
    expect([again.code, again.err]).toEqual([0, expect.stringMatching(/done: 3 steps/)]);
    const [folder] = readdirSync(place("copied"));
    const { tensors } = loadSafetensors(place("copied", folder, "part-0000.safetensors"));
    const maps = tensors.get("maps")?.float() as Tensor;
    expect(maps.shape[0]).toBe(3 * 9); // every photo has two copies behind its person's
    // Ann's five photos, and their copies: alike, and none the same.
    const unlike = (a: number, b: number) => maps.select(0, a).sub(maps.select(0, b)).abs().mean().item();
    for (let photo = 0; photo < 5; photo++) {
      const [one, two] = [5 + 2 * photo, 6 + 2 * photo];
      expect(Math.min(unlike(photo, one), unlike(photo, two), unlike(one, two))).toBeGreaterThan(0.01);
      expect(unlike(photo, one)).toBeLessThan(unlike(photo, 15)); // bob
    }
    expect(await cli("train", "base", ...common.slice(0, 5), "--out", place("y"))).toMatchObject({
      code: 1,
      err: expect.stringMatching(/2 folders of people, but 1 weights/),
    });
  });
});
