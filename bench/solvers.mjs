// How far each solver is from the picture of a hundred Heun steps, by evaluations of the model: mean absolute
// difference of pixels in 0…1, over bare pictures of the shipped base. Not a speed, so a busy machine does not matter.
// → one JSON line
import { scope } from "@omni-id/torch";
import { drawPictures } from "../packages/omni-id/dist/generate/draw.js";
import { loadFlowBase } from "../packages/omni-id/dist/weights/flow.js";
import { shippedWeights } from "../packages/omni-id/dist/weights/folder.js";

const { base, preset } = await loadFlowBase(process.argv[2] ?? shippedWeights());
const COUNT = 16;
const draw = (solver, steps) =>
  drawPictures(base, { count: COUNT, seed: 1, prompt: preset.flow.prompt, solver, steps }).keep();
const reference = draw("heun", 100);
const difference = (made) => scope(() => made.sub(reference).abs().mean().item() / 2);
const rows = [];
for (const evaluations of [6, 10, 16, 24, 40]) {
  const row = { evaluations };
  // Heun asks twice a step, but for the last one.
  for (const [solver, steps] of [
    ["euler", evaluations],
    ["dpm", evaluations],
    ["heun", evaluations / 2],
  ]) {
    row[solver] = difference(draw(solver, steps));
  }
  rows.push(row);
}
console.log(JSON.stringify({ pictures: COUNT, rows }));
