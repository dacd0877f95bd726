// Puts all that the proof needs, and a bare GPU machine has not, into one folder: the program in one file, Node, its
// headers, the recogniser's network. pack.mjs FOLDER
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder, modelFile, recogniserModel } from "@omni-id/face";
import { build } from "vite";

const [folder = "gpu-proof"] = process.argv.slice(2);
const root = fileURLToPath(new URL("../..", import.meta.url));
const require = createRequire(join(root, "packages/torch/package.json"));

rmSync(folder, { recursive: true, force: true });
const model = join(folder, "cache", relative(cacheFolder(), modelFile(recogniserModel)));
mkdirSync(join(model, ".."), { recursive: true });
cpSync(modelFile(recogniserModel), model);
cpSync(require("node-api-headers").include_dir, join(folder, "include"), { recursive: true });

// Read by the ONNX importer when it is first used.
const protobuf = dirname(require.resolve("protobufjs/package.json"));
for (const name of ["package.json", "index.js", "light.js", "minimal.js", "src", "google", "ext"])
  cpSync(join(protobuf, name), join(folder, "node_modules/protobufjs", name), { recursive: true });
writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');

// No picture file is read in the proof: the library for them stays at home.
const noPictures = {
  name: "no-pictures",
  enforce: "pre",
  resolveId: (id) => (id === "sharp" ? "\0sharp" : null),
  load: (id) => (id === "\0sharp" ? "export default undefined;" : null),
};
await build({
  configFile: false,
  logLevel: "warn",
  plugins: [noPictures],
  ssr: { noExternal: true, external: ["onnxruntime-node"] },
  build: {
    ssr: fileURLToPath(new URL("main.mjs", import.meta.url)),
    outDir: folder,
    emptyOutDir: false,
    target: "node20",
    minify: false,
    rollupOptions: { output: { entryFileNames: "main.mjs" } },
  },
});

const node = join(folder, "node");
cpSync(process.execPath, node);
execFileSync("strip", [node]);
execFileSync("xz", ["-9", "-T0", node]);
writeFileSync(
  join(folder, "commit"),
  execFileSync("git", ["rev-parse", "--short=12", "HEAD"], { cwd: root, encoding: "utf8" }),
);
console.log(`${folder}: copy it beside a checkout, and there: scripts/gpu-proof.sh ${folder}`);
