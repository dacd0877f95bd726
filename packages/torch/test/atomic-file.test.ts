import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeAtomically } from "@omni-id/torch";
import { afterAll, expect, test } from "vitest";

const root = mkdtempSync(join(tmpdir(), "omni-id-atomic-"));
afterAll(() => rmSync(root, { recursive: true }));

/** A folder of its own for each test. */
function folder(name: string): string {
  const path = join(root, name);
  mkdirSync(path);
  return path;
}

test("text, bytes and parts are written whole, and nothing else is left", () => {
  const place = folder("forms");
  const file = join(place, "a");
  writeAtomically(file, "häuser");
  expect(readFileSync(file, "utf8")).toBe("häuser");
  writeAtomically(file, Uint8Array.from([1, 2, 3]));
  expect([...readFileSync(file)]).toEqual([1, 2, 3]);
  writeAtomically(file, [Uint8Array.from([4]), new Uint8Array(0), Uint8Array.from([5, 6])]);
  expect([...readFileSync(file)]).toEqual([4, 5, 6]);
  expect(readdirSync(place)).toEqual(["a"]);
});

test("a writer that fails on the way leaves the old file and no other", () => {
  const place = folder("fails");
  const file = join(place, "a");
  writeAtomically(file, "old");
  function* parts() {
    yield Buffer.from("new");
    throw new Error("the source broke off");
  }
  expect(() => writeAtomically(file, parts())).toThrow("the source broke off");
  expect(readFileSync(file, "utf8")).toBe("old");
  expect(readdirSync(place)).toEqual(["a"]);
});

test("the system's error names the file that was asked for", () => {
  const file = join(root, "nowhere", "a");
  expect(() => writeAtomically(file, "x")).toThrow(expect.objectContaining({ code: "ENOENT", path: file }));
});

test("what a killed process left is cleared away; another's work is not", () => {
  const place = folder("left");
  const file = join(place, "a");
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  for (const name of [`a.${dead}.tmp`, `a.${process.ppid}.tmp`, "a.b.tmp", `b.${dead}.tmp`]) {
    writeFileSync(join(place, name), "half");
  }
  writeAtomically(file, "x");
  expect(readdirSync(place).sort()).toEqual(["a", `a.${process.ppid}.tmp`, "a.b.tmp", `b.${dead}.tmp`].sort());
});

/** A file system of a few pages, where this user may mount one. */
const full = join(root, "full");
mkdirSync(full);
const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", full]).status === 0;
afterAll(() => {
  if (mounted) spawnSync("umount", [full]);
});

test.skipIf(!mounted)("a full disk leaves the old file, no half of the new one, and says which file", () => {
  const file = join(full, "a");
  writeAtomically(file, "old");
  const parts = Array.from({ length: 100 }, () => new Uint8Array(3000));
  expect(() => writeAtomically(file, parts)).toThrow(expect.objectContaining({ code: "ENOSPC", path: file }));
  expect(readFileSync(file, "utf8")).toBe("old");
  expect(readdirSync(full)).toEqual(["a"]);
  expect(existsSync(`${file}.${process.pid}.tmp`)).toBe(false);
});

test("a link stays a link: what it leads to is replaced, with its rights", () => {
  const place = folder("links");
  const [file, link, dangling] = ["a", "link", "dangling"].map((name) => join(place, name));
  writeFileSync(file, "old");
  chmodSync(file, 0o640);
  symlinkSync("a", link);
  symlinkSync("b", dangling);
  writeAtomically(link, "new");
  writeAtomically(dangling, "there");
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(readFileSync(file, "utf8")).toBe("new");
  expect(statSync(file).mode & 0o777).toBe(0o640);
  expect(readFileSync(join(place, "b"), "utf8")).toBe("there");
  for (const name of ["x", "y"]) symlinkSync(name === "x" ? "y" : "x", join(place, name));
  expect(() => writeAtomically(join(place, "x"), "")).toThrow(expect.objectContaining({ code: "ELOOP" }));
});

test("what is no regular file is written to, and still there", async () => {
  const place = folder("special");
  const device = join(place, "null");
  if (spawnSync("mknod", [device, "c", "1", "3"]).status === 0) {
    writeAtomically(device, "x");
    expect(statSync(device).isCharacterDevice()).toBe(true);
  }
  const pipe = join(place, "pipe");
  expect(spawnSync("mkfifo", [pipe]).status).toBe(0);
  // Into a file: a pipe to this process nobody would empty while the writer holds it, and cat would stop when it is full.
  const copy = join(place, "copy");
  const output = openSync(copy, "w");
  const reader = spawn("cat", [pipe], { stdio: ["ignore", output, "inherit"] });
  closeSync(output);
  const ended = new Promise((resolve) => reader.on("close", resolve));
  const bytes = Buffer.alloc(300_000, "omni"); // more than a pipe holds
  writeAtomically(pipe, bytes);
  expect(await ended).toBe(0);
  expect(readFileSync(copy).equals(bytes)).toBe(true);
  expect(statSync(pipe).isFIFO()).toBe(true);
  expect(readdirSync(place).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test("/dev/stdout is this process's output, be it a file, a pipe or a socket", () => {
  const script = `import { writeAtomically } from ${JSON.stringify(new URL("../dist/atomic-file.js", import.meta.url).href)};
    writeAtomically("/dev/stdout", "one"); writeAtomically("/dev/fd/1", "two");`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  expect([stdout, stderr]).toEqual(["onetwo", ""]);
});

test("a name as long as the system allows is a name", () => {
  const place = folder("long");
  const file = join(place, "ü".repeat(127));
  writeAtomically(file, "x");
  expect(readFileSync(file, "utf8")).toBe("x");
  expect(readdirSync(place)).toHaveLength(1);
});
