// CLIP-H/14, the paper preset's image encoder: one forward pass of one photo, as a share of what the machine reaches
// in one large matrix product at that precision. → one JSON line
import { autocast, Generator, noGrad, onDevice, preferredPrecision, randn, scope, zeros } from "@omni-id/torch";
import { CLIP_H, ClipVisionModel } from "../packages/omni-id/dist/backbones/clip.js";

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

const timed = (rounds, work) => {
  const times = [];
  for (let i = 0; i <= rounds; i++) {
    const began = performance.now();
    scope(work);
    if (i > 0) times.push((performance.now() - began) / 1000);
  }
  return times.sort((a, b) => a - b)[rounds >> 1];
};
const inside = (work) => noGrad(() => autocast({ dtype: "bfloat16", enabled: precision === "bfloat16" }, work));

const [a, b] = [randn([2048, 2048], { generator }).to(precision), randn([2048, 2048], { generator }).to(precision)];
const photos = randn([1, 3, imageSize, imageSize], { generator });
const rate = (2 * 2048 ** 3) / timed(7, () => noGrad(() => void a.matmul(b)));
const forward = timed(5, () => inside(() => void model.forward(photos)));
const result = {
  parameters,
  precision,
  seconds: forward,
  productGflops: rate / 1e9,
  forwardGflops: perPhoto / forward / 1e9,
};
console.log(
  JSON.stringify({ ...result, share: perPhoto / forward / rate, peakMB: process.resourceUsage().maxRSS / 1024 }),
);
