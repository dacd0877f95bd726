import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { renderPictures } from "@omni-id/data";
import { saveImage } from "@omni-id/face";
import { afterAll, beforeAll, expect, it } from "vitest";
import { writeTinyWeights } from "./tiny-weights.ts";

const repository = fileURLToPath(new URL("../../..", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "omni-id-package-"));
afterAll(() => rmSync(root, { recursive: true }));
const project = join(root, "project");

function run(command: string, args: readonly string[], cwd: string) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: "utf8" });
  return { status, output: `${stdout}${stderr}`, stdout };
}

/** `npm pack` of all packages, in a copy of the repository whose shipped weights are tiny ones. */
async function pack(): Promise<string[]> {
  const copy = join(root, "repository");
  for (const part of ["package.json", "LICENSE", "README.md", "scripts", "packages"]) {
    const skipped = /\/(node_modules|build|test|bench)$/;
    cpSync(join(repository, part), join(copy, part), { recursive: true, filter: (path) => !skipped.test(path) });
  }
  await writeTinyWeights(join(copy, "weights/nano"));
  const { status, output } = run("npm", ["pack", "--workspaces", "--pack-destination", root], copy);
  expect(status, output).toBe(0);
  return readdirSync(root).filter((name) => name.endsWith(".tgz"));
}

/** Installs tarballs as npm does; without a registry by hand, with the repository's copies of what they depend on. */
function install(tarballs: readonly string[]): void {
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module", private: true }));
  const quick = ["--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", "--fetch-retries=0"];
  const { status } = run("npm", ["install", ...quick, ...tarballs.map((name) => join(root, name))], project);
  if (status !== 0) for (const name of tarballs) unpack(join(root, name));
  // What npm's install script would compile, a minute's work.
  const addon = "packages/torch/build/Release";
  cpSync(join(repository, addon), join(project, "node_modules/@omni-id/torch/build/Release"), { recursive: true });
}

function unpack(tarball: string): void {
  const folder = mkdtempSync(join(root, "unpacked-"));
  expect(run("tar", ["xzf", tarball, "-C", folder], root).status).toBe(0);
  const manifest = JSON.parse(readFileSync(join(folder, "package/package.json"), "utf8")) as {
    name: string;
    dependencies: Record<string, string>;
  };
  const place = (name: string) => join(project, "node_modules", name);
  cpSync(join(folder, "package"), place(manifest.name), { recursive: true });
  for (const name of Object.keys(manifest.dependencies)) {
    if (name.includes("omni-id") || existsSync(place(name))) continue;
    mkdirSync(dirname(place(name)), { recursive: true });
    symlinkSync(join(repository, "node_modules", name), place(name));
  }
}

const example = /## The library\n.*?```ts\n(.*?)```/s.exec(readFileSync(join(repository, "README.md"), "utf8"))?.[1];

beforeAll(async () => {
  install(await pack());
  for (const [identity, names] of [["alice1.jpg", "alice2.jpg", "alice3.jpg"], ["bob.jpg"]].entries()) {
    const { images } = await renderPictures({ seed: 77, identity, images: names.length, size: 192 });
    for (const [i, name] of names.entries()) await saveImage(join(project, name), images[i].image);
  }
});

it("the README's ten lines run in an empty project that installed the packed tarballs", () => {
  const lines = example?.trim().split("\n") ?? [];
  expect(lines.length).toBeGreaterThan(4);
  expect(lines.length).toBeLessThanOrEqual(10);
  writeFileSync(join(project, "example.mjs"), example ?? "");
  const { status, output, stdout } = run(process.execPath, ["example.mjs"], project);
  expect(status, output).toBe(0);
  expect(Math.abs(Number(stdout))).toBeLessThanOrEqual(1);
  expect(existsSync(join(project, "alice.safetensors"))).toBe(true);
});

/** The example of a package's own page. */
const exampleOf = (name: string) =>
  /```ts\n(.*?)```/s.exec(readFileSync(join(repository, "packages", name, "README.md"), "utf8"))?.[1] ?? "";
const PAGES = ["torch", "face", "data", "studio"];

it.each(PAGES)("the lines on the page of @omni-id/%s run there too", (name) => {
  writeFileSync(join(project, `${name}.mjs`), exampleOf(name));
  const { status, output, stdout } = run(process.execPath, [`${name}.mjs`], project);
  expect(status, output).toBe(0);
  expect(stdout.trim().split("\n").length).toBeGreaterThan(1);
});

it("their types hold under a strict compiler that checks the packages' declarations too", () => {
  writeFileSync(join(project, "example.ts"), example ?? "");
  for (const name of PAGES) writeFileSync(join(project, `${name}.ts`), exampleOf(name));
  const types = ["--types", "node", "--typeRoots", join(repository, "node_modules/@types")];
  const options = ["--noEmit", "--strict", "--target", "ES2022", "--module", "NodeNext", ...types];
  const { status, output } = run(
    process.execPath,
    [tsc(), ...options, "example.ts", ...PAGES.map((name) => `${name}.ts`)],
    project,
  );
  expect(status, output).toBe(0);
});

it("the command is there, with the weights, the licence and the prompts", () => {
  const command = ["node_modules/omni-id/bin/omni-id.mjs", "encode", "bob.jpg", "-o", "bob.safetensors", "--json"];
  const { status, output, stdout } = run(process.execPath, command, project);
  expect(status, output).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ shape: [4, 16] }); // the tiny weights of this test
  expect(existsSync(join(project, "node_modules/omni-id/LICENSE"))).toBe(true);
  expect(existsSync(join(project, "node_modules/omni-id/prompts/scenes.txt"))).toBe(true);
});

const tsc = () => join(repository, "node_modules/typescript/bin/tsc");
