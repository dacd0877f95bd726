import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
