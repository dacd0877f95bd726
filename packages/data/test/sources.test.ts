import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { boxIn, safeKey } from "../src/curate/clip.ts";
import { readSources } from "../src/curate/sources/read.ts";

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/sources/${name}`, import.meta.url));
const root = realpathSync(mkdtempSync(join(tmpdir(), "omni-id-sources-")));
afterAll(() => rmSync(root, { recursive: true }));

const videos = join(root, "videos");
const put = (path: string) => {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, "a video");
};
beforeAll(() => {
  const ids =
    "M2Ohb0FAaJU _0tf2n3rlJU 0-5BrmyFsYM 00-30GQl0TM oC9r-CTbToE xaC6MDNDlYE _-91nXXjrVo -7TMJtnhiPM --Y9imYnfBw".split(
      " ",
    );
  for (const id of ids) put(join(videos, `${id}.mp4`));
  put(join(videos, "chunks", "--Y9imYnfBw_0000.mp4"));
});
const at = (id: string) => join(videos, `${id}.mp4`);
const read = (dataset: string, file: string) =>
  readSources({ videos: [videos], annotations: { [dataset]: fixture(file) } });

describe("CelebV-HQ", () => {
  const source = () => read("celebv-hq", "celebvhq_info.json");
  test("clips with seconds and boxes as shares, grown as the data set's own crop grows them", () => {
    const { clips } = source();
    expect(clips.map(({ name }) => name)).toEqual(["M2Ohb0FAaJU_1", "_0tf2n3rlJU_0"]);
    expect(clips[0]).toEqual({
      video: "M2Ohb0FAaJU",
      name: "M2Ohb0FAaJU_1",
      path: at("M2Ohb0FAaJU"),
      span: { unit: "seconds", start: 81.62, end: 86.17 },
      box: { unit: "share", left: 0.1764, top: 0, right: expect.closeTo(0.7122, 9), bottom: expect.closeTo(0.9015, 9) },
    });
    expect(clips[1].box?.right).toBe(1);
  });
  test("missing videos are counted; what is wrong is told with file and line", () => {
    const { missing, malformed } = source();
    expect(missing).toEqual(["gone0000000"]);
    expect(malformed).toEqual([
      {
        where: `${fixture("celebvhq_info.json")}:28`,
        what: `clip "backwards_0": the clip ends (3) before it starts (9.5)`,
      },
      {
        where: `${fixture("celebvhq_info.json")}:34`,
        what: `clip "boxless_0": "bbox.bottom" should be a number, not "low"`,
      },
    ]);
  });
  test("a file that is no JSON is told, not fatal", () => {
    const broken = join(root, "broken.json");
    writeFileSync(broken, '{"clips": {\n  "a": {,}\n}}');
    const { clips, malformed } = readSources({ videos: [videos], annotations: { "celebv-hq": broken } });
    expect(clips).toEqual([]);
    expect(malformed).toEqual([{ where: `${broken}:2`, what: expect.stringMatching(/no JSON/) }]);
    writeFileSync(broken, "null");
    const nothing = readSources({ videos: [videos], annotations: { "celebv-hq": broken } });
    expect(nothing.malformed).toEqual([{ where: broken, what: "it holds no clips" }]);
  });
});

describe("CelebV-Text", () => {
  test("the layout with clips: boxes in pixels, seconds that are called frames", () => {
    const { clips } = read("celebv-text", "celebvtext_clips.json");
    expect(clips).toEqual([
      {
        video: "0-5BrmyFsYM",
        name: "0-5BrmyFsYM_0",
        path: at("0-5BrmyFsYM"),
        span: { unit: "seconds", start: 0, end: 9.64 },
        box: { unit: "pixels", left: 849, top: 0, right: 1872, bottom: 937 },
      },
      {
        video: "00-30GQl0TM",
        name: "00-30GQl0TM_7",
        path: at("00-30GQl0TM"),
        span: { unit: "seconds", start: 415.29, end: 420.88 },
        box: { unit: "pixels", left: 665, top: 0, right: 1956, bottom: 1183 },
      },
    ]);
  });
  test("the map of file names: boxes as shares", () => {
    const { clips } = read("celebv-text", "celebvtext_map.json");
    expect(clips.map(({ video, name, box }) => [video, name, box?.unit, box?.right])).toEqual([
      ["oC9r-CTbToE", "oC9r-CTbToE_0_0", "share", 0.775],
      ["xaC6MDNDlYE", "xaC6MDNDlYE_45_0", "share", 0.2821],
    ]);
  });
});

describe("VFHQ", () => {
  test("frames of the whole video, without the first and the last; box of the annotated size", () => {
    const { clips } = read("vfhq", "meta_info");
    expect(clips).toEqual([
      {
        video: "_-91nXXjrVo",
        name: "P0-C0-F1537-1825",
        path: at("_-91nXXjrVo"),
        span: { unit: "seconds", start: 1538 / 25, end: 1824 / 25 },
        box: { unit: "pixels", left: 324, top: 0, right: 938, bottom: 614, width: 1920, height: 1080 },
      },
    ]);
  });
  test("ids may hold plus signs; files that cannot be read are named", () => {
    const { missing, malformed } = read("vfhq", "meta_info");
    expect(missing).toEqual(["gone+with+the"]);
    expect(malformed.map(({ where, what }) => [where.slice(fixture("meta_info").length + 1), what])).toEqual([
      ["Clip+_-91nXXjrVo+P0+C1+F2000-2100.txt:4", `"CROP" has 3 numbers`],
      ["Clip+_-91nXXjrVo+P0+C2+F2000-2100.txt", `the line "W" is missing`],
      ["Clip+nameless.txt", expect.stringMatching(/should be Clip\+\{video\}/)],
    ]);
  });
});

describe("TalkingHead-1KH", () => {
  test("frames of a chunk that is there, else of the whole video from the chunk's minute on", () => {
    const { clips } = read("talkinghead-1kh", "small_video_tubes.txt");
    expect(clips.map(({ video, path, span }) => [video, path.slice(videos.length + 1), span])).toEqual([
      ["--Y9imYnfBw", "chunks/--Y9imYnfBw_0000.mp4", { unit: "frames", start: 0, end: 271 }],
      ["--Y9imYnfBw", "chunks/--Y9imYnfBw_0000.mp4", { unit: "frames", start: 1015, end: 1107 }],
      ["--Y9imYnfBw", "--Y9imYnfBw.mp4", { unit: "frames", start: 30, end: 90, from: 120 }],
      ["-7TMJtnhiPM", "-7TMJtnhiPM.mp4", { unit: "frames", start: 10, end: 700, from: 60 }],
    ]);
    expect(clips[0].box).toEqual({
      unit: "pixels",
      left: 504,
      top: 63,
      right: 792,
      bottom: 351,
      width: 1280,
      height: 720,
    });
  });
  test("lines that cannot be read are told by number; ids split at the last underscore", () => {
    const { missing, malformed } = read("talkinghead-1kh", "small_video_tubes.txt");
    expect(missing).toEqual(["gone_id"]);
    expect(malformed.map(({ where, what }) => [Number(where.split(":").at(-1)), what])).toEqual([
      [6, expect.stringMatching(/nine fields .* not 8/)],
      [7, `"E" should be a number, not "x"`],
      [8, expect.stringMatching(/"noChunkNumber" should end in _/)],
    ]);
  });
});

describe("folders, lists and files", () => {
  test("a folder gives every file that may be a video, called by its path", () => {
    const folder = join(root, "mixed");
    for (const name of [
      "b.mp4",
      "a.MOV",
      "deep/b.mkv",
      "twice.mp4",
      "twice.avi",
      "notes.txt",
      "cover.jpg",
      ".hidden.mp4",
    ]) {
      put(join(folder, name));
    }
    const { clips } = readSources({ videos: [folder] });
    expect(clips.map(({ video }) => video)).toEqual(["a", "b", "deep/b", "twice.avi", "twice.mp4"]);
    expect(clips.every(({ name, span, box }) => name === "whole" && !span && !box)).toBe(true);
  });
  test("links are followed, never in a circle, and a film counts once", () => {
    const folder = join(root, "linked");
    put(join(folder, "real", "b.mp4"));
    put(join(root, "elsewhere", "c.mp4"));
    symlinkSync(join("real", "b.mp4"), join(folder, "a.mp4")); // another name of b
    symlinkSync("real", join(folder, "again"));
    symlinkSync(folder, join(folder, "real", "round"));
    symlinkSync(join(root, "elsewhere"), join(folder, "outside"));
    symlinkSync("self.mp4", join(folder, "self.mp4"));
    symlinkSync("/nowhere.mp4", join(folder, "nowhere.mp4"));
    const { clips } = readSources({ videos: [folder] });
    // What leads nowhere is told later, with the reason.
    expect(clips.map(({ video }) => video)).toEqual(["nowhere", "outside/c", "real/b", "self"]);
    const both = readSources({ videos: [folder, join(root, "elsewhere")] });
    expect(both.clips.map(({ video }) => video)).toEqual(["c", "nowhere", "real/b", "self"]);
  });
  test.skipIf(sep === "\\")("a backslash in a name is no folder", () => {
    put(join(root, "slashes", "x", "y.mp4"));
    put(join(root, "slashes", "x\\y.mp4"));
    const { clips } = readSources({ videos: [join(root, "slashes")] });
    expect(clips.map(({ video }) => video)).toEqual(["x/y", "x\\y"]);
  });
  test("a list names files from its own folder; missing ones are counted, comments skipped", () => {
    const list = join(root, "list.txt");
    writeFileSync(list, `# mine\nvideos/M2Ohb0FAaJU.mp4\n\n${at("oC9r-CTbToE")}\nvideos/none.mp4\n`);
    const { clips, missing } = readSources({ videos: [list] });
    expect(clips.map(({ video, path }) => [video, path])).toEqual([
      ["videos/M2Ohb0FAaJU", at("M2Ohb0FAaJU")],
      ["videos/oC9r-CTbToE", at("oC9r-CTbToE")],
    ]);
    expect(missing).toEqual([join(root, "videos/none.mp4")]);
  });
  test("two files of one name in two places are two videos", () => {
    put(join(root, "one", "x.mp4"));
    put(join(root, "two", "x.mp4"));
    const { clips } = readSources({ videos: [join(root, "one"), join(root, "two")] });
    expect(clips.map(({ video }) => video)).toEqual(["one/x", "two/x"]);
    put(join(root, "deep", "one", "x.mp4"));
    const three = readSources({ videos: ["one", "two", join("deep", "one")].map((name) => join(root, name)) });
    const whole = (place: string) => join(root, place, "x.mp4").slice(1); // two folders are called "one"
    expect(three.clips.map(({ video }) => video)).toEqual([whole("deep/one"), whole("one"), "two/x"]);
  });
  test("annotations want one folder of videos", () => {
    expect(() => readSources({ videos: [at("M2Ohb0FAaJU")], annotations: { vfhq: fixture("meta_info") } })).toThrow(
      /annotations \(vfhq\) want one folder/,
    );
  });
  test("the same clip named twice counts once; captions are the first line of a text", () => {
    const captions = join(root, "captions");
    mkdirSync(captions);
    writeFileSync(join(captions, "oC9r-CTbToE_0_0.txt"), "\n a woman talks \nand laughs\n");
    const map = fixture("celebvtext_map.json");
    const { clips } = readSources({
      videos: [videos],
      annotations: { "celebv-text": map, "celebv-hq": map },
      captions,
    });
    // CelebV-HQ's reader grows the boxes, so its clips are others; each list alone would repeat nothing.
    expect(clips.map(({ name, caption }) => [name, caption])).toEqual([
      ["oC9r-CTbToE_0_0", "a woman talks"],
      ["oC9r-CTbToE_0_0-2", undefined],
      ["xaC6MDNDlYE_45_0", undefined],
      ["xaC6MDNDlYE_45_0-2", undefined],
    ]);
  });
});

test("boxes in pixels of one size are scaled to another, shares too, and stay inside", () => {
  const edges = { left: 100, top: 50, right: 300, bottom: 500 };
  expect(boxIn({ unit: "pixels", ...edges, width: 400, height: 400 }, 800, 200)).toEqual({
    x: 200,
    y: 25,
    width: 400,
    height: 175,
  });
  expect(boxIn({ unit: "share", left: -0.1, top: 0.5, right: 0.5, bottom: 1.2 }, 100, 50)).toEqual({
    x: 0,
    y: 25,
    width: 50,
    height: 25,
  });
});

test("keys are safe names, and different names stay different", () => {
  expect(safeKey("dQw4w9WgXcQ")).toBe("dQw4w9WgXcQ");
  expect(safeKey("a/b c")).toMatch(/^a_b_c-[0-9a-f]{8}$/);
  expect(safeKey("a/b c")).not.toBe(safeKey("a b/c"));
  expect(safeKey("../../etc")).not.toMatch(/[./]/);
});
