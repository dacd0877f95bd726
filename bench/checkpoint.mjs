// Peak memory and time of a training step of a FLUX, with and without activation checkpoints.
// usage: checkpoint.mjs on|off [WIDTH DEPTH TEXT IMAGE STEPS]
import { Generator, preferredPrecision, randn, scope } from "@omni-id/torch";
import { Flux } from "../packages/omni-id/dist/backbones/flux.js";
import { fluxInput } from "./flux-input.mjs";
import { inPrecision, peakMB } from "./measure.mjs";

const checkpointBlocks = process.argv[2] === "on";
const [width = 768, depth = 4, text = 128, image = 1024, steps = 3] = process.argv.slice(3).map(Number);
const options = {
  inChannels: 64,
  vectorWidth: 64,
  contextWidth: 64,
  width,
  heads: width / 64,
  doubleBlocks: depth,
  singleBlocks: 2 * depth,
  axes: [16, 24, 24],
  guidance: false,
};
const flux = new Flux(options);
const input = { ...fluxInput(options, { batch: 1, image, text }), checkpointBlocks };
const target = randn([1, image, 64], { generator: new Generator(1) });
const times = [];
const weightsMB = peakMB();
for (let step = 0; step < steps; step++) {
  const began = performance.now();
  scope(() => {
    const velocity = inPrecision(preferredPrecision(), () => flux.forward(input));
    velocity.sub(target).square().mean().backward();
  });
  flux.zeroGrad();
  times.push((performance.now() - began) / 1000);
}
console.log(JSON.stringify({ seconds: times.sort((a, b) => a - b)[steps >> 1], weightsMB, peakMB: peakMB() }));
