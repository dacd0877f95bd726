// For machines that have no network and no npm (a cluster's nodes, a lent card): Node, the compiled programs with the
// packages that they run on, and the networks that faces are read with, as one archive in parts that fit any mail.
// pack.mjs FOLDER [--part MEGABYTES]; there, in a checkout of the same commit: scripts/offline/unpack.sh FOLDER
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { assetFolder, cacheFolder, modelFile, models } from "@omni-id/face";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { part: { type: "string" } } });
const [folder = "offline"] = positionals;
const root = fileURLToPath(new URL("../..", import.meta.url));
const require = createRequire(join(root, "packages/torch/package.json"));
const machine = `${process.platform}/${process.arch}`;
const stage = mkdtempSync(join(tmpdir(), "omni-id-offline-"));

/** What only a browser, a compiler or another system asks for. */
const LEFT_OUT = /^node_modules\/(onnxruntime-web|@types|node-gyp|bare-[^/]+|typescript)(\/|$)/;

try {
  const copy = (path, filter) => cpSync(join(root, path), join(stage, path), { recursive: true, filter });
  const listed = execFileSync("npm", ["ls", "--omit=dev", "--all", "--parseable"], { cwd: root, encoding: "utf8" });
  for (const path of listed.trim().split("\n")) {
    const at = relative(root, path);
    if (!/(^|\/)node_modules\//.test(at) || LEFT_OUT.test(at)) continue;
    copy(at, (file) => !file.includes("onnxruntime-node/bin/") || forThisMachine(file));
  }
  for (const name of readdirSync(join(root, "packages"))) {
    copy(`packages/${name}/dist`, (file) => !/\.(d\.ts|map)$/.test(file));
    const { name: workspace } = JSON.parse(readFileSync(join(root, "packages", name, "package.json"), "utf8"));
    const link = join(stage, "node_modules", workspace);
    mkdirSync(dirname(link), { recursive: true });
    execFileSync("ln", ["-sfn", relative(dirname(link), join(stage, "packages", name)), link]);
  }
  cpSync(require("node-api-headers").include_dir, join(stage, ".offline/include"), { recursive: true });
  for (const model of models) {
    const weights = modelFile(model);
    const said = [
      weights.replace(/\.bin$/, "-weights_manifest.json"),
      join(assetFolder(model.package), "package.json"),
    ];
    for (const file of [weights, ...said.filter(existsSync)]) {
      cpSync(file, join(stage, ".offline/cache", relative(cacheFolder(), file)));
    }
  }
  cpSync(process.execPath, join(stage, ".offline/node"));
  execFileSync("strip", [join(stage, ".offline/node")]);

  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const commit = execFileSync("git", ["describe", "--always", "--abbrev=12", "--dirty=+changes"], { cwd: root });
  writeFileSync(join(stage, ".offline/commit"), commit);
  const size = `${values.part ?? 1000}M`;
  const piped = `set -e; tar -C "$1" -c . | xz -6 -T0 | split -b ${size} -d -a 3 - "$2/omni-id.tar.xz."`;
  execFileSync("bash", ["-c", piped, "pack", stage, folder]);
  console.log(
    `${folder}: ${readdirSync(folder).length} parts; in a checkout there: scripts/offline/unpack.sh ${folder}`,
  );
} finally {
  rmSync(stage, { recursive: true, force: true });
}

function forThisMachine(file) {
  const [, place] = file.split(/onnxruntime-node\/bin\/[^/]+\//);
  return place === undefined || machine.startsWith(place) || place.startsWith(machine);
}
