// What a TypeScript user has today: @vladmandic/face-api on TensorFlow.js's WebAssembly backend. The same frames as
// `curate.mjs faces`: boxes, 68 landmarks and the descriptor of every face. TensorFlow.js (300 MB) is no dependency of
// this repository; it is installed into the cache folder when this benchmark first runs.
// usage: face_api.mjs FOLDER THREADS → one JSON line
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { assetFolder, cacheFolder } from "@omni-id/face";

const [folder, threads] = process.argv.slice(2);
const TENSORFLOW = "4.22.0";
const home = join(cacheFolder(), "peers", `tfjs-${TENSORFLOW}`);
if (!existsSync(join(home, "node_modules/@tensorflow/tfjs-backend-wasm/package.json"))) {
  console.error(`installing TensorFlow.js ${TENSORFLOW} into ${home} …`);
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "package.json"), '{"private":true}');
  const packages = ["tfjs", "tfjs-backend-wasm"].map((name) => `@tensorflow/${name}@${TENSORFLOW}`);
  const { status, stderr } = spawnSync("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...packages], {
    cwd: home,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`npm could not install the peer: ${stderr}`);
}
const faceApi = assetFolder("@vladmandic/face-api");
copyFileSync(join(faceApi, "dist/face-api.node-wasm.js"), join(home, "face-api.node-wasm.js"));
const load = createRequire(join(home, "face-api.node-wasm.js"));
const wasm = load("@tensorflow/tfjs-backend-wasm");
wasm.setWasmPaths(join(home, "node_modules/@tensorflow/tfjs-backend-wasm/dist/"));
wasm.setThreadsCount(Number(threads));
const api = load("./face-api.node-wasm.js");
await api.tf.setBackend("wasm");
await api.tf.ready();
const models = join(faceApi, "model");
for (const net of [api.nets.ssdMobilenetv1, api.nets.faceLandmark68Net, api.nets.faceRecognitionNet])
  await net.loadFromDisk(models);

const options = new api.SsdMobilenetv1Options({ minConfidence: 0.5, maxResults: 10 });
const times = [];
let [there, found] = [0, 0];
for (const { file, width, height, noses } of JSON.parse(readFileSync(join(folder, "index.json"), "utf8"))) {
  const data = new Uint8Array(readFileSync(join(folder, file)));
  const began = performance.now();
  const image = api.tf.tensor3d(data, [height, width, 3], "int32");
  const seen = await api.detectAllFaces(image, options).withFaceLandmarks().withFaceDescriptors();
  image.dispose();
  times.push(performance.now() - began);
  there += noses.length;
  found += noses.filter(([x, y]) =>
    seen.some(({ detection: { box } }) => x > box.x && y > box.y && x < box.x + box.width && y < box.y + box.height),
  ).length;
}
times.sort((a, b) => a - b);
const round = (value) => Number(value.toPrecision(3));
console.log(
  JSON.stringify({ milliseconds: round(times[times.length >> 1]), recall: round(found / there), faces: there }),
);
