// CLIP-H/14, the paper preset's image encoder: one forward pass of one photo, as a share of what the machine reaches
// in one large matrix product at that precision. → one JSON line
import { Generator, noGrad, onDevice, preferredPrecision, randn, zeros } from "@omni-id/torch";
import { CLIP_H, ClipVisionModel } from "../packages/omni-id/dist/backbones/clip.js";
import { inPrecision, peakMB, productRate, timed } from "./measure.mjs";

const model = onDevice("meta", () => new ClipVisionModel(CLIP_H)).requiresGrad_(false);
const parameters = model.parameters().reduce((sum, { numel }) => sum + numel, 0);
const precision = preferredPrecision();

// Weights small enough that nothing overflows; their values do not change the time.
const generator = new Generator(0);
const state = new Map(
  [...model.stateDict()].map(([key, t]) => [
    key,
    t.device === "meta" ? (t.ndim < 2 ? zeros(t.shape) : randn(t.shape, { generator }).mul(0.02)).to(precision) : t,
  ]),
);
model.loadStateDict(state, { assign: true });

const { width, mlp, layers, patchSize, imageSize } = CLIP_H;
const tokens = (imageSize / patchSize) ** 2 + 1;
/** Floating-point operations of the matrix products of one photo. */
const perPhoto =
  2 * layers * tokens * (4 * width * width + 2 * width * mlp + 2 * tokens * width) +
  2 * (tokens - 1) * 3 * patchSize ** 2 * width;

const photos = randn([1, 3, imageSize, imageSize], { generator });
const rate = productRate(precision);
const forward = timed(5, () => noGrad(() => inPrecision(precision, () => void model.forward(photos))));
const result = {
  parameters,
  precision,
  seconds: forward,
  productGflops: rate / 1e9,
  forwardGflops: perPhoto / forward / 1e9,
};
console.log(JSON.stringify({ ...result, share: perPhoto / forward / rate, peakMB: peakMB() }));
