// One double block of FLUX at the paper's width, 512 text and 1024 image tokens: a forward pass as a share of what the
// machine reaches in one large matrix product at that precision. usage: flux-block.mjs [WIDTH TEXT IMAGE ROUNDS]
import { arange, Generator, noGrad, randn, stack, zeros } from "@omni-id/torch";
import { FLUX_DEV } from "../packages/omni-id/dist/backbones/flux.js";
import { DoubleStreamBlock } from "../packages/omni-id/dist/backbones/flux-blocks.js";
import { ropeTable } from "../packages/omni-id/dist/backbones/rope.js";
import { peakMB, productRate, timed } from "./measure.mjs";

const [width = FLUX_DEV.width, text = 512, image = 1024, rounds = 3] = process.argv.slice(2).map(Number);
const heads = FLUX_DEV.heads;
const axes = [
  width / heads - 2 * 2 * Math.floor((width / heads) * 0.21875),
  ...[0, 0].map(() => 2 * Math.floor((width / heads) * 0.21875)),
];
const generator = new Generator(0);
const block = new DoubleStreamBlock({ width, heads, mlpRatio: 4, qkvBias: true }).requiresGrad_(false);
const position = arange(text + image, { dtype: "float32" });
const rope = ropeTable(stack([zeros([text + image]), position, position], 1), { axes, theta: 10_000 });
const [img, txt, vec] = [
  [1, image, width],
  [1, text, width],
  [1, width],
].map((shape) => randn(shape, { generator }));

const tokens = text + image;
/** Operations of the matrix products of one pass. */
const operations = 24 * tokens * width ** 2 + 4 * tokens ** 2 * width + 24 * width ** 2;
const result = {};
for (const precision of ["float32", "bfloat16"]) {
  block.to({ dtype: precision });
  const streams = { img: img.to(precision), txt: txt.to(precision) };
  const condition = vec.to(precision);
  const rate = productRate(precision);
  const seconds = timed(rounds, () => noGrad(() => void block.forward(streams, condition, rope)));
  result[precision] = {
    seconds,
    productGflops: rate / 1e9,
    gflops: operations / seconds / 1e9,
    share: operations / seconds / rate,
  };
}
console.log(
  JSON.stringify({ ...result, share: result.float32.share, bfloat16Share: result.bfloat16.share, peakMB: peakMB() }),
);
