// The FLUX autoencoder: decoding one picture, whole and in tiles. usage: autoencoder.mjs [PIXELS ROUNDS]
import { Generator, noGrad, preferredPrecision, randn } from "@omni-id/torch";
import { FLUX_AUTOENCODER, FluxAutoencoder } from "../packages/omni-id/dist/backbones/autoencoder.js";
import { inPrecision, peakMB, productRate, timed } from "./measure.mjs";

const [pixels = 512, rounds = 1] = process.argv.slice(2).map(Number);
const precision = preferredPrecision();
const autoencoder = new FluxAutoencoder(FLUX_AUTOENCODER).requiresGrad_(false);
const side = pixels / autoencoder.factor;
const latents = randn([1, autoencoder.latentChannels, side, side], { generator: new Generator(0) });
const decode = (work) => timed(rounds, () => noGrad(() => inPrecision(precision, work)));

// Tiles first: the peak is the process's, and that of the whole hides it.
const tile = Math.max(20, side / 2);
const tiledSeconds = decode(() => void autoencoder.decodeTiled(latents, { tile }));
const tiledMB = peakMB();
const seconds = decode(() => void autoencoder.decode(latents));
const rate = productRate(precision);
const operations = decoderOperations();
console.log(
  JSON.stringify({
    precision,
    pixels,
    seconds,
    gflops: operations / seconds / 1e9,
    share: operations / seconds / rate,
    peakMB: peakMB(),
    tiledSeconds,
    tiledMB,
  }),
);

/** Operations of the decoder's convolutions and of its attention. */
function decoderOperations() {
  const { channels, multipliers, resBlocks, latentChannels } = FLUX_AUTOENCODER;
  const widths = multipliers.map((factor) => channels * factor);
  const last = widths.length - 1;
  const conv = (inputs, out, size, kernel = 3) => 2 * inputs * out * kernel ** 2 * size ** 2;
  const resnet = (inputs, out, size) =>
    conv(inputs, out, size) + conv(out, out, size) + (inputs === out ? 0 : conv(inputs, out, size, 1));
  const top = widths[last];
  let sum =
    conv(latentChannels, top, side) + 2 * resnet(top, top, side) + 4 * conv(top, top, side, 1) + 4 * side ** 4 * top;
  for (let level = last, size = side; level >= 0; level--) {
    sum +=
      resnet(widths[Math.min(level + 1, last)], widths[level], size) +
      resBlocks * resnet(widths[level], widths[level], size);
    if (level === 0) break;
    size *= 2;
    sum += conv(widths[level], widths[level], size);
  }
  return sum + conv(widths[0], 3, pixels);
}
