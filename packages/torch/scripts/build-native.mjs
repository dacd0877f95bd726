// Builds the native addon when it is missing or older than what it was built from. Plain Node, no dependencies but
// node-gyp; never touches the network.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, totalmem } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { withLock } from "./build-lock.mjs";
import { findLibtorch } from "./find-libtorch.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const require = createRequire(import.meta.url);
/** Where node-gyp works and leaves `build/`: the package, or the folder of another build (OMNI_ID_NATIVE). */
const base = process.env.OMNI_ID_NATIVE || root;
const addon = join(base, "build/Release/torch_native.node");
const stampFile = join(base, "build/Release/torch_native.stamp");
/** Further flags of compiler and linker, for another build. */
const flags = process.env.OMNI_ID_NATIVE_FLAGS ?? "";

/** What node-gyp wants beside `build/` in a folder that is not the package. */
function prepareBase() {
  if (base === root) return;
  mkdirSync(base, { recursive: true });
  for (const name of ["native", "scripts"])
    if (!existsSync(join(base, name))) symlinkSync(join(root, name), join(base, name));
  cpSync(join(root, "binding.gyp"), join(base, "binding.gyp"));
}

function stampOf(libtorch) {
  const hash = createHash("sha256");
  const sources = readdirSync(join(root, "native"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
  for (const file of [...sources, join(root, "binding.gyp"), join(root, "scripts/find-libtorch.mjs")])
    hash.update(file.slice(root.length)).update(readFileSync(file));
  return `${hash.digest("hex")} libtorch ${libtorch.version} ${libtorch.lib} abi ${libtorch.abi}`;
}

/** Headers node-gyp compiles against: this Node's own, else a folder made from the node-api-headers package. */
function nodeHeaders() {
  const prefix = dirname(dirname(process.execPath));
  if (existsSync(join(prefix, "include/node/node_api.h")) && existsSync(join(prefix, "include/node/common.gypi")))
    return prefix;
  const folder = join(base, "build/node-headers");
  const include = join(folder, "include/node");
  mkdirSync(include, { recursive: true });
  cpSync(require("node-api-headers").include_dir, include, { recursive: true });
  // What node-gyp reads besides the headers: defaults for this machine, nothing of Node's own build is needed.
  writeFileSync(
    join(include, "common.gypi"),
    "{ 'target_defaults': { 'default_configuration': 'Release', 'configurations': { 'Release': {} }, 'cflags': ['-fPIC'] } }\n",
  );
  writeFileSync(
    join(include, "config.gypi"),
    JSON.stringify({
      target_defaults: { default_configuration: "Release" },
      variables: { target_arch: process.arch, host_arch: process.arch, napi_build_version: "8" },
    }),
  );
  const [major, minor, patch] = process.versions.node.split(".");
  writeFileSync(
    join(include, "node_version.h"),
    `#define NODE_MAJOR_VERSION ${major}\n#define NODE_MINOR_VERSION ${minor}\n#define NODE_PATCH_VERSION ${patch}\n`,
  );
  return folder;
}

function run(command, args, { env, onLine }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: base, env, stdio: ["ignore", "pipe", "pipe"] });
    let log = "";
    const take = (chunk) => {
      log += chunk;
      for (const line of String(chunk).split("\n")) onLine(line);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, log }));
  });
}

/** Builds if needed. Resolves to "built" or "up to date"; rejects with a message for a person. */
export async function buildNative({ log = console.log, force = false } = {}) {
  const libtorch = findLibtorch();
  if (!libtorch)
    throw new Error(
      "no LibTorch found: on Debian or Ubuntu run `apt-get install libtorch-dev libopenblas0`, or set LIBTORCH to an unpacked one",
    );
  const stamp = `${stampOf(libtorch)}${flags && ` ${flags}`}`;
  const upToDate = () =>
    !force && existsSync(addon) && existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp;
  if (upToDate()) return "up to date";
  return withLock(join(base, "build/.lock"), async () => {
    if (upToDate()) return "up to date";
    const started = Date.now();
    prepareBase();
    const total = readdirSync(join(root, "native"), { recursive: true }).filter((name) => name.endsWith(".cc")).length;
    // A compiler on these headers takes about 1 GB: more jobs than memory would swap.
    const jobs = Math.max(1, Math.min(cpus().length, Math.floor(totalmem() / 1.5e9)));
    log(
      `building the native addon on LibTorch ${libtorch.version} (${libtorch.source}, ${libtorch.lib}), ${total} files, ${jobs} at a time`,
    );
    let done = 0;
    const onLine = (line) => {
      if (/^\s*CXX\(target\)/.test(line))
        log(`  ${++done}/${total} ${line.trim().split("/").pop().replace(/\.o$/, ".cc")}`);
    };
    const env = { ...process.env, OMNI_ID_LIBTORCH_FOUND: JSON.stringify(libtorch) };
    if (flags) Object.assign(env, { CXXFLAGS: flags, LDFLAGS: flags });
    const nodeGyp = join(dirname(require.resolve("node-gyp/package.json")), "bin/node-gyp.js");
    const common = ["--release", "--nodedir", nodeHeaders()];
    const configured = await run(process.execPath, [nodeGyp, "configure", ...common], { env, onLine });
    const { code, log: output } =
      configured.code === 0
        ? await run(process.execPath, [nodeGyp, "build", ...common, "--jobs", String(jobs)], { env, onLine })
        : configured;
    if (code !== 0) {
      const logFile = join(base, "build/build-native.log");
      mkdirSync(dirname(logFile), { recursive: true });
      writeFileSync(logFile, output);
      const error = output.split("\n").find((line) => /\berror\b|not found|ERR!/i.test(line)) ?? "";
      throw new Error(
        `the native addon did not build: ${error.trim()}\nthe whole output is in ${logFile}; a C++17 compiler, make and python3 are needed (apt-get install g++ make python3)`,
      );
    }
    writeFileSync(stampFile, stamp);
    log(`built in ${Math.round((Date.now() - started) / 1000)} s`);
    return "built";
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const state = await buildNative({ force: process.argv.includes("--force") });
    if (state === "up to date") console.log("native addon: up to date");
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
