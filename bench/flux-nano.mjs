// FLUX-nano as it is trained: forward, mean square, backward; and forward alone, as a sampling step has it.
// bench/peers/flux_nano.py is the same in PyTorch. usage: flux-nano.mjs float32|bfloat16 THREADS STEPS [BATCH]
import { Generator, noGrad, randn, scope, setNumThreads, version } from "@omni-id/torch";
import { Flux } from "../packages/omni-id/dist/backbones/flux.js";
import { fluxInput } from "./flux-input.mjs";
import { inPrecision, peakMB } from "./measure.mjs";

const [precision, threads, steps, batch = 64] = [process.argv[2], ...process.argv.slice(3).map(Number)];
setNumThreads(threads);
const options = {
  inChannels: 48,
  vectorWidth: 64,
  contextWidth: 64,
  width: 256,
  heads: 8,
  doubleBlocks: 2,
  singleBlocks: 4,
  axes: [8, 12, 12],
  guidance: false,
};
const flux = new Flux(options);
const input = fluxInput(options, { batch, image: 64, text: 24 });
const target = randn([batch, 64, 48], { generator: new Generator(1) });
const forward = () => inPrecision(precision, () => flux.forward(input));

const clock = (work) => {
  const began = performance.now();
  scope(work);
  return (performance.now() - began) / 1000;
};
const [seconds, samplingSeconds] = [[], []];
for (let step = 0; step < steps; step++) {
  seconds.push(clock(() => forward().sub(target).square().mean().backward()));
  flux.zeroGrad();
  samplingSeconds.push(clock(() => noGrad(() => void forward())));
}
console.log(JSON.stringify({ seconds, samplingSeconds, peakMB: peakMB(), torch: version().libtorch }));
