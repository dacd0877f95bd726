// Builds the native addon on another LibTorch, in a folder of its own, and runs all tests with it; the usual build
// stays as it is.
// usage: npm run test:libtorch -- PATH [what vitest takes]
//   PATH  an unpacked LibTorch, a Python environment that has torch, or its site-packages/torch
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const [given, ...rest] = process.argv.slice(2);
if (!given || given.startsWith("-")) fail("usage: npm run test:libtorch -- PATH [what vitest takes]");

process.env.LIBTORCH = libtorchIn(resolve(given));
const { findLibtorch } = await import("../packages/torch/scripts/find-libtorch.mjs");
let found;
try {
  found = findLibtorch();
} catch (error) {
  fail(error.message);
}
const key = createHash("sha256").update(found.lib).digest("hex").slice(0, 8);
process.env.OMNI_ID_NATIVE = join(root, "packages/torch/build", `libtorch-${found.version}-${key}`);
console.log(`LibTorch ${found.version} in ${found.lib}; the addon: ${process.env.OMNI_ID_NATIVE}`);

run(process.execPath, ["scripts/setup.mjs"]);
run("npx", ["vitest", "run", ...rest]);

/** A LibTorch itself, or the one in a Python environment. */
function libtorchIn(folder) {
  const pythons = existsSync(join(folder, "lib")) ? readdirSync(join(folder, "lib")) : [];
  const inside = pythons.map((name) => join(folder, "lib", name, "site-packages/torch"));
  return inside.find((path) => existsSync(path)) ?? folder;
}

function run(command, args) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

function fail(text) {
  console.error(text);
  process.exit(2);
}
