import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { photoFiles, picturesIn, tellLeftOut } from "../src/pictures/photo-files.ts";
import { printable, printableText } from "../src/pictures/printable.ts";
import { cli } from "./command-line.ts";
import { writePhotos } from "./pictures.ts";
import { writeTinyWeights } from "./tiny-weights.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-folders-"));
afterAll(() => rmSync(root, { recursive: true }));
const place = (...names: string[]) => join(root, ...names);
let photo: string;

beforeAll(async () => {
  [photo] = await writePhotos(root, 1, 1);
});

/** A folder of its own, with what the test puts in. */
function album(name: string, entries: Record<string, "photo" | string>): string {
  const folder = place(name);
  mkdirSync(folder);
  for (const [entry, content] of Object.entries(entries)) {
    if (content === "photo") copyFileSync(photo, join(folder, entry));
    else writeFileSync(join(folder, entry), content);
  }
  return folder;
}
const names = (files: readonly string[]) => files.map((file) => file.slice(file.lastIndexOf("/") + 1));

describe("a folder of photos", () => {
  it("is judged by content: rare endings and none are taken, what is no photo is named with the reason", () => {
    const folder = album("all", {
      "a.jfif": "photo",
      "b.JPE": "photo",
      c: "photo",
      "d.mov": "photo",
      "notes.jpg": "dear Anna",
      "scan.bmp": "BM\0\0\0\0",
      "empty.jpg": "",
      ".hidden.jpg": "photo",
      "._a.jfif": "resource fork",
      ".DS_Store": "x",
    });
    mkdirSync(join(folder, "more"));
    symlinkSync("nowhere", join(folder, "broken.jpg"));
    symlinkSync("loop.jpg", join(folder, "loop.jpg"));
    symlinkSync(photo, join(folder, "linked.png"));
    spawnSync("mkfifo", [join(folder, "pipe.jpg")]);
    const { files, leftOut } = picturesIn(folder);
    expect(names(files)).toEqual(["a.jfif", "b.JPE", "c", "d.mov", "linked.png"]);
    expect(leftOut.map(({ file, reason }) => [names([file])[0], reason])).toEqual([
      ["broken.jpg", "a link that leads nowhere"],
      ["empty.jpg", "empty"],
      ["loop.jpg", expect.stringMatching(/loop of links/)],
      ["more", expect.stringMatching(/a folder/)],
      ["notes.jpg", "text, no picture"],
      ["pipe.jpg", "no regular file"],
      ["scan.bmp", expect.stringMatching(/BMP picture, which cannot be read here; save it as/)],
    ]);
  });

  it("with a name that is no UTF-8 loses that file alone", () => {
    const folder = album("bytes", { "a.png": "photo" });
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xe4, 0x2e, 0x6a, 0x70, 0x67])]), "x");
    expect(picturesIn(folder)).toMatchObject({
      files: [join(folder, "a.png")],
      leftOut: [{ reason: "its name is no UTF-8; rename it" }],
    });
  });

  it("without a picture is an error that says what is there", () => {
    const folder = album("none", { "a.txt": "dear Anna" });
    expect(() => photoFiles([folder])).toThrow(/no pictures in this folder[\s\S]*a\.txt: text, no picture/);
  });

  it("what is named itself is kept, whatever it is", () => {
    const long = place("x".repeat(300));
    expect(photoFiles([photo, long, place("none.jpg")]).files).toEqual([photo, long, place("none.jpg")]);
  });

  it("many that are left out are told in a few lines", () => {
    const leftOut = Array.from({ length: 30 }, (_, i) => ({ file: `${i}`, reason: "text, no picture" }));
    expect(tellLeftOut(leftOut)).toHaveLength(11);
    expect(tellLeftOut(leftOut).at(-1)).toMatch(/20 more files/);
  });
});

describe("the command line", () => {
  it("refuses what cannot be read one by one, and encodes the rest", async () => {
    await writeTinyWeights(place("weights"));
    const pipe = place("pipe.jpg");
    spawnSync("mkfifo", [pipe]);
    const loop = place("loop.jpg");
    symlinkSync("loop.jpg", loop);
    const coloured = album("coloured", { "\u001b[31mred\n.png": "dear Anna", "a.jfif": "photo" });
    const out = place("a.safetensors");
    const bad = [pipe, loop, place("y".repeat(300)), place("gone\u0007.jpg")];
    const command = ["encode", photo, ...bad, coloured, "-o", out, "--weights", place("weights"), "--json"];
    const first = await cli(...command);
    const run = await cli(...command); // the output is there now, and is compared with every input
    expect([first.code, run.code]).toEqual([0, 0]);
    expect(run.out).toBe(first.out);
    const { photos, refused, leftOut } = JSON.parse(run.out) as Record<string, { reason: string }[]>;
    expect(photos).toHaveLength(2);
    expect(refused.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/^a named pipe/),
      expect.stringMatching(/^a loop of links/),
      expect.stringMatching(/^its name is longer than the system allows/),
      "no such file",
    ]);
    expect(leftOut).toHaveLength(1);
    for (const unseen of ["\u001b", "\u0007"]) expect(run.err).not.toContain(unseen);
    expect(run.err).toContain("\\x1b[31mred\\n.png");
    expect(run.err).toContain("gone\\x07.jpg");
  });

  it("identity files that are pipes or folders are refused at once", async () => {
    const pipe = place("pipe.safetensors");
    spawnSync("mkfifo", [pipe]);
    const compare = await cli("compare", pipe, pipe, "--weights", place("weights"));
    expect(compare).toMatchObject({ code: 1, err: expect.stringMatching(/pipe\.safetensors: no regular file/) });
  });
});

it("names are printed so that they stay names", () => {
  expect(printable("a\u001b[2Jb\nc\u202ed")).toBe("a\\x1b[2Jb\\nc\\u202ed");
  expect(printable("Zoë 愛 👩‍🚀.jpg")).toBe("Zoë 愛 👩‍🚀.jpg");
  expect(printableText("one\n\ttwo\r")).toBe("one\n\ttwo\\x0d");
});
