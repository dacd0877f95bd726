import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileFormat } from "@omni-id/face";
import { saveSafetensors, zeros } from "@omni-id/torch";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cli } from "./command-line.ts";
import { writePhotos } from "./pictures.ts";
import { writeTinyWeights } from "./tiny-weights.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-outputs-"));
afterAll(() => rmSync(root, { recursive: true }));
const place = (...names: string[]) => join(root, ...names);
const weights = () => ["--weights", place("weights")];
let photo: string;
let identity: string;

beforeAll(async () => {
  await writeTinyWeights(place("weights"));
  [photo] = await writePhotos(root, 1, 1);
  identity = place("anna.safetensors");
  expect(await cli("encode", photo, "-o", identity, ...weights())).toMatchObject({ code: 0 });
});

/** Runs a command that has to refuse its output; the files named keep their bytes. */
async function refuses(args: string[], message: RegExp, kept: readonly string[]): Promise<void> {
  const before = kept.map((file) => readFileSync(file));
  const { code, err } = await cli(...args);
  expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(message) });
  for (const [i, file] of kept.entries()) expect(readFileSync(file).equals(before[i])).toBe(true);
}

describe("an output is never an input", () => {
  it("under no name: the same path, a link of either kind, another command's input", async () => {
    const hard = place("hard.safetensors");
    linkSync(identity, hard);
    const soft = place("soft.safetensors");
    symlinkSync(identity, soft);
    const all = [photo, identity];
    for (const out of [identity, hard, soft, join(root, "weights", "..", "anna.safetensors")]) {
      await refuses(["generate", "--id", identity, "-o", out], /is also an input/, all);
      await refuses(["reconstruct", photo, "--id", identity, "-o", out], /is also an input/, all);
    }
    await refuses(["reconstruct", photo, "--id", identity, "-o", photo], /is also an input/, all);
    await refuses(["generate", "--landmarks", photo, "-o", photo], /is also an input/, all);
    await refuses(["demo", photo, "-o", photo], /is also an input/, all);
    await refuses(["encode", photo, "-o", photo], /is also an input/, all);
  });

  it("nor a folder of inputs, where a command writes a folder", async () => {
    const encoder = place("weights", "omni-id-encoder.safetensors");
    await refuses(["export", "--weights", place("weights"), "-o", place("weights", ".")], /also an input/, [encoder]);
    mkdirSync(place("videos"));
    await refuses(["data", "curate", place("videos"), "-o", place("videos")], /also an input/, []);
    await refuses(["data", "merge", place("videos"), "-o", place("videos")], /also an input/, []);
    expect(readdirSync(place("videos"))).toEqual([]);
    await refuses(["train", "mtd", "--data", place("videos"), "--out", place("videos")], /also an input/, []);
  });
});

describe("an output replaces nothing but its like", () => {
  it("`-o *.jpg` costs no photo: the content counts, whatever the name", async () => {
    const album = place("album");
    mkdirSync(album);
    const [first, second] = ["1", "2"].map((name) => join(album, name));
    for (const file of [first, second]) copyFileSync(photo, file);
    await refuses(["encode", "-o", first, second, ...weights()], /holds a PNG picture.*-o takes the one name/, [first]);
    const lying = join(album, "photo.safetensors");
    copyFileSync(photo, lying);
    await refuses(["encode", second, "-o", lying, ...weights()], /holds a PNG picture/, [lying]);
  });

  it("identity, picture and report each spare the others, weights and texts", async () => {
    const text = place("letter");
    writeFileSync(text, "dear Anna");
    const foreign = place("model.safetensors");
    saveSafetensors(foreign, { x: zeros([2]) });
    const settings = place("package.json");
    writeFileSync(settings, '{ "name": "mine" }');
    for (const file of [text, foreign]) {
      await refuses(["encode", photo, "-o", file, ...weights()], /is there already and holds/, [file]);
    }
    for (const file of [text, foreign, identity]) {
      await refuses(["generate", "-o", file], /is there already and holds/, [file]);
      await refuses(["data", "inspect", "-o", file], /is there already and holds/, [file]);
    }
    for (const file of [text, foreign, identity, photo, settings]) {
      await refuses(["verify", root, "-o", file], /is there already and holds/, [file]);
      await refuses(["evaluate", "-o", file], /is there already and holds/, [file]);
      await refuses(["data", "evaluate", "-o", file], /is there already and holds/, [file]);
    }
    const beside = place("demo-generated.png");
    writeFileSync(beside, "mine");
    await refuses(["demo", photo, "-o", place("demo.png")], /demo-generated\.png is there already/, [beside]);
  });

  it("the same command twice is fine, and so is an empty file that was made for it", async () => {
    const out = place("twice.safetensors");
    for (let i = 0; i < 2; i++) expect((await cli("encode", photo, "-o", out, ...weights())).code).toBe(0);
    const empty = place("tmp.Xb81kq0RtZ");
    writeFileSync(empty, "");
    expect((await cli("encode", photo, "-o", empty, ...weights())).code).toBe(0);
    expect(fileFormat(empty)?.name).toBe("a safetensors file");
  });
});

describe("an ending that asks for a format", () => {
  it("is obeyed", async () => {
    for (const [ending, format] of [
      ["jpg", "JPEG"],
      ["webp", "WebP"],
      ["PNG", "PNG"],
      ["avif", "AVIF"],
      ["tif", "TIFF"],
    ]) {
      const out = place(`drawn.${ending}`);
      expect(await cli("reconstruct", photo, "--id", identity, "-o", out, ...weights())).toMatchObject({ code: 0 });
      expect(fileFormat(out)?.name).toBe(format);
    }
  });

  it("or refused before the work", async () => {
    for (const out of ["x.gif", "x.pdf", "x.safetensors"].map((name) => place(name))) {
      await refuses(["reconstruct", place("none.jpg"), "--id", "none", "-o", out], /is not written as/, []);
    }
    await refuses(["encode", place("none.jpg"), "-o", place("x.jpg")], /an identity file is not written as \.jpg/, []);
    await refuses(["verify", root, "-o", place("x.png")], /is not written as \.png/, []);
    await refuses(["encode", photo, "-o", `${root}/`], /is a folder/, []);
    await refuses(["encode", photo, "-o", `${root}/new/`], /is a folder/, []);
    await refuses(["encode", photo, "-o", ""], /name is empty/, []);
    expect(existsSync(place("new"))).toBe(false);
  });
});

describe("an output that is no regular file", () => {
  it("is written to and stays what it is", async () => {
    const device = place("null");
    if (spawnSync("mknod", [device, "c", "1", "3"]).status !== 0) return; // wants root
    expect(await cli("encode", photo, "-o", device, ...weights())).toMatchObject({ code: 0 });
    expect(await cli("reconstruct", photo, "--id", identity, "-o", device, ...weights())).toMatchObject({ code: 0 });
    expect(statSync(device).isCharacterDevice()).toBe(true);
  });
});

it("a full disk under stdout is one line", () => {
  const script = new URL("../bin/omni-id.mjs", import.meta.url).pathname;
  const { status, stderr } = spawnSync("sh", ["-c", `"${process.execPath}" "${script}" models > /dev/full`], {
    encoding: "utf8",
  });
  expect([status, stderr]).toEqual([1, "omni-id: stdout took no result: the disk is full\n"]);
});
