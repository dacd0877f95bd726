// The nano preset's training step as `omni-id train mtd` does it, on random pictures: batch, encoder, decoder, L1,
// backward, clip, Muon and AdamW, average. bench/peers/mtd_step.py is the same step in PyTorch.
// usage: train-step.mjs float32|bfloat16 THREADS STEPS → one JSON line {"seconds": [...], "losses": [...], "peakMB"}
import { autocast, Generator, randn, scope, setNumThreads, version } from "@omni-id/torch";
import { People } from "../packages/omni-id/dist/people/people.js";
import { resolvePreset } from "../packages/omni-id/dist/presets/index.js";
import { MtdModel, MtdStage } from "../packages/omni-id/dist/train/mtd/stage.js";
import { Optimisers } from "../packages/omni-id/dist/train/optimisers.js";
import { buildEncoder, buildMaskedDecoder } from "../packages/omni-id/dist/weights/build.js";

const [precision, threads, steps] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
setNumThreads(threads);
// The peer has three photos, and the loss of the paper.
const preset = resolvePreset("nano", ["mtd.inputs=[3]", "mtd.loss.likeness=0", "encoder.carriedTokens=0"]);
const [PEOPLE, IMAGES, SIZE] = [64, 12, preset.mtd.imageSize];

const generator = new Generator(0);
const rows = PEOPLE * IMAGES;
const random = (...shape) => randn(shape, { generator });
const tensors = new Map([
  ["crops", random(rows, 3, SIZE, SIZE).mul(50).add(128).clamp(0, 255).to("uint8")],
  ["masks", random(rows, SIZE, SIZE).lt(0.84).to("uint8")],
  ["points", random(rows, 5, 2).add(SIZE / 2)],
  ["features", random(rows, 512)],
  ["landmarks", random(rows, 68, 2)],
  ["poses", random(rows, 3)],
  ["maps", random(rows, 49, 1024).to("float16")],
]);
const ids = Array.from({ length: PEOPLE }, (_, i) => `person-${i}`);
const people = People.from(
  ids,
  ids.map(() => IMAGES),
  [{ tensors, captions: [] }],
);
const model = new MtdModel(buildEncoder(preset), buildMaskedDecoder(preset));
const stage = new MtdStage({ model, people, preset: preset.mtd, seed: 0 });
const optimisers = new Optimisers(stage.groups, preset.mtd.optimisation);

const [seconds, losses] = [[], []];
for (let step = 1; step <= steps; step++) {
  const began = performance.now();
  scope(() => {
    const batch = stage.batch(step);
    const { loss } = autocast({ dtype: "bfloat16", enabled: precision === "bfloat16" }, () => stage.loss(batch, step));
    losses.push(loss.item());
    loss.backward();
    optimisers.clip();
    optimisers.step(step);
  });
  seconds.push((performance.now() - began) / 1000);
}
const peakMB = process.resourceUsage().maxRSS / 1024;
console.log(JSON.stringify({ seconds, losses, peakMB, torch: version().libtorch }));
