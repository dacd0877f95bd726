import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { planVideos } from "../src/curate/plan.ts";
import { readTable } from "../src/import/csv.ts";
import { importSettings } from "../src/import/settings.ts";
import { readPhotos } from "../src/import/sources.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-photos-"));
afterAll(() => rmSync(root, { recursive: true }));
let number = 0;
/** Files with contents of their own, or the ones that are given. */
function write(folder: string, files: readonly string[], contents?: string): string {
  for (const file of files) {
    const path = join(root, folder, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, contents ?? `picture ${number++}`);
  }
  return join(root, folder);
}
const told = (place: string, ...more: string[]) =>
  readPhotos([place, ...more]).clips.map(({ video, name }) => `${video} | ${name}`);

test("a folder that holds pictures is a person, wherever it lies", () => {
  const lfw = write("lfw", [
    "Ann_B/Ann_B_0001.jpg",
    "Ann_B/Ann_B_0002.jpg",
    "carl/1.PNG",
    "README.md",
    "carl/notes.txt",
  ]);
  expect(told(lfw)).toEqual(["Ann_B | Ann_B_0001.jpg", "Ann_B | Ann_B_0002.jpg", "carl | 1.PNG"]);
  const vgg = write("vgg", ["train/n000001/0001_01.jpg", "train/n000002/0002_01.jpg", "test/n000001/0001_01.jpg"]);
  expect(told(vgg)).toEqual([
    "test/n000001 | 0001_01.jpg",
    "train/n000001 | 0001_01.jpg",
    "train/n000002 | 0002_01.jpg",
  ]);
});

test("pictures of one folder are told apart by their names without the number", () => {
  const flat = write("flat", [
    "Ann B_0001.jpg",
    "Ann B_0002.jpg",
    "carl (3).jpeg",
    "dora.webp",
    "eve-12.jpg",
    "007.jpg",
  ]);
  expect(told(flat)).toEqual([
    "007 | 007.jpg",
    "Ann B | Ann B_0001.jpg",
    "Ann B | Ann B_0002.jpg",
    "carl | carl (3).jpeg",
    "dora | dora.webp",
    "eve | eve-12.jpg",
  ]);
});

test("names with any character stay apart; hidden files and loops of links are left out", () => {
  const odd = write("odd", [
    "名前/写真 1.jpg",
    "a\nb/x.jpg",
    "a b/x.jpg",
    "<i>&\"'/;rm -rf.jpg",
    ".hidden/x.jpg",
    "a b/._x.jpg",
  ]);
  symlinkSync(odd, join(odd, "loop"));
  symlinkSync(join(root, "nowhere"), join(odd, "broken.jpg"));
  expect(told(odd)).toEqual([
    "<i>&\"'/;rm -rf.jpg".replace("/", " | "),
    "a\nb | x.jpg",
    "a b | x.jpg",
    "broken | broken.jpg", // told as unreadable when it is looked at
    "名前 | 写真 1.jpg",
  ]);
});

test("words beside a picture are taken over", () => {
  const folder = write("words", ["ann/1.jpg", "ann/2.jpg"]);
  writeFileSync(join(folder, "ann", "1.txt"), "\n  ann by the sea \nmore");
  expect(readPhotos([folder]).clips.map(({ caption }) => caption)).toEqual(["ann by the sea", undefined]);
});

test("a table names file and person: headed or not, quoted, with blanks; what is wrong is told by line", () => {
  const folder = write("table", ["a.jpg", "b, c.jpg", "sub/d.jpg"]);
  const table = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const headed = table(
    "headed.csv",
    '\ufeffperson,file,caption\r\n"O""Hara, ann",a.jpg,"red, and blue"\r\nbob,"b, c.jpg",\r\n,a.jpg,\r\nbob,gone.jpg,\r\n',
  );
  expect(readPhotos([headed])).toEqual({
    clips: [
      { video: 'O"Hara, ann', name: "a.jpg", path: join(folder, "a.jpg"), caption: "red, and blue" },
      { video: "bob", name: "b, c.jpg", path: join(folder, "b, c.jpg") },
    ],
    missing: [join(folder, "gone.jpg")],
    malformed: [{ where: `${headed}:4`, what: "a line wants a file and a person" }],
  });
  expect(told(table("plain.csv", "a.jpg,1\nsub/d.jpg,1\n"))).toEqual(["1 | a.jpg", "1 | sub/d.jpg"]);
  expect(told(table("identity.txt", "a.jpg 17\nsub/d.jpg   18\n\n"))).toEqual(["17 | a.jpg", "18 | sub/d.jpg"]);
  expect(readTable(table("tabs.tsv", "file\tname\na.jpg\tAnn B\n")).photos).toEqual([
    { path: join(folder, "a.jpg"), person: "Ann B" },
  ]);
  expect(readTable(table("empty.csv", "")).photos).toEqual([]);
});

test("the very same picture under two people is marked under both; twice under one person it is no such thing", () => {
  const folder = write("twins", ["ann/1.jpg", "bob/9.jpg"], "the same picture");
  write("twins", ["ann/2.jpg", "ann/3.jpg"], "another one....."); // as long
  write("twins", ["bob/8.jpg"]);
  expect(
    readPhotos([folder])
      .clips.filter(({ twin }) => twin)
      .map(({ path }) => path),
  ).toEqual([join(folder, "ann/1.jpg"), join(folder, "bob/9.jpg")]);
});

test("two places: people of one name are two people, one place named twice is one", () => {
  const [one, two] = [write("places/one", ["ann/1.jpg", "bob/1.jpg"]), write("places/two", ["ann/1.jpg"])];
  expect(told(one, two)).toHaveLength(3);
  expect(new Set(readPhotos([one, two]).clips.map(({ video }) => video)).size).toBe(3);
  expect(told(one, one)).toEqual(["ann | 1.jpg", "bob | 1.jpg"]);
});

test("ten thousand people, one of them with a thousand pictures", () => {
  const many = Array.from({ length: 9_999 }, (_, i) => `p${i}/1.jpg`);
  const folder = write("many", [...many, ...Array.from({ length: 1000 }, (_, i) => `rich/${i}.jpg`)]);
  const { clips } = readPhotos([folder]);
  expect(clips).toHaveLength(10_999);
  expect(new Set(clips.map(({ video }) => video)).size).toBe(10_000);
  expect(clips.some(({ twin }) => twin)).toBe(false);
  const jobs = planVideos(clips, { seed: 0 });
  expect(jobs.find(({ video }) => video === "rich")?.clips).toHaveLength(1000);
});

test("what cannot be a source is said; a folder of folders of nothing is empty", () => {
  mkdirSync(join(root, "void", "a", "b"), { recursive: true });
  expect(readPhotos([join(root, "void")]).clips).toEqual([]);
  expect(() => readPhotos([join(root, "nowhere")])).toThrow(/nowhere: no such folder or table/);
  expect(() => readPhotos([write("single", ["x.jpg"]), join(root, "single/x.jpg")])).toThrow(
    /a folder of photos is wanted/,
  );
});

test("settings are a preset's, with numbers replaced", () => {
  expect(importSettings("nano", ["minSize=64"])).toMatchObject({ minSize: 64, size: 160 });
  expect(() => importSettings("nano", ["fps=5"])).toThrow(/no setting "fps"; there are: .*minSize/);
  expect(() => importSettings("constructor")).toThrow(/no preset "constructor"; there are: nano, paper/);
});
