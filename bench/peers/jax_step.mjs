// The nano preset's forward and backward pass in jax-js on its WebAssembly backend, float32: the same model and batch
// as bench/train-step.mjs, but without clip, optimisers and average, which flatters it. The whole batch of 16 people
// needs more than the 4 GiB that WebAssembly can address, so a part of it is run.
// usage: jax_step.mjs PEOPLE STEPS → one JSON line {"seconds": [...], "losses": [...]}
import { blockUntilReady, defaultDevice, init, jit, nn, numpy as np, random, valueAndGrad } from "@jax-js/jax";

const [PEOPLE, steps] = process.argv.slice(2).map(Number);
await init("wasm");
defaultDevice("wasm");

const [WIDTH, CONTEXT, TOKENS, HEADS] = [128, 256, 32, 4];
const [INPUTS, TARGETS, IMAGE_TOKENS, CHOSEN, GRID] = [3, 8, 49, 112, 256];

let seed = 0;
const normal = (shape, scale) => random.normal(random.key(seed++), shape).mul(scale);
const linear = (from, to) => ({ w: normal([from, to], from ** -0.5), b: np.zeros([to]) });
const norm = (size) => ({ w: np.ones([size]), b: np.zeros([size]) });
const block = (context) => ({
  norm1: norm(WIDTH),
  ...(context ? { normContext: norm(context) } : {}),
  q: linear(WIDTH, WIDTH),
  kv: linear(context ?? WIDTH, 2 * WIDTH),
  out: linear(WIDTH, WIDTH),
  norm2: norm(WIDTH),
  fc1: linear(WIDTH, 4 * WIDTH),
  fc2: linear(4 * WIDTH, WIDTH),
});
const parameters = {
  project: linear(1024, CONTEXT),
  place: normal([IMAGE_TOKENS, CONTEXT], 0.02),
  query: normal([TOKENS, WIDTH], 0.5),
  encoderCross: [block(CONTEXT), block(CONTEXT)],
  encoderSelf: [block(), block()],
  encoderNorm: norm(WIDTH),
  patches: linear(48, WIDTH),
  maskToken: normal([WIDTH], 0.02),
  position: normal([GRID, WIDTH], 0.02),
  pose: [block(), block()],
  decoderCross: [block(WIDTH), block(WIDTH)],
  decoderSelf: [block(), block()],
  decoderNorm: norm(WIDTH),
  pixels: linear(WIDTH, 48),
};

const applyLinear = ({ w, b }, x) => np.matmul(x, w).add(b);
const applyNorm = ({ w, b }, x) => nn.standardize(x, -1).mul(w).add(b);

function applyBlock(p, x, z) {
  const h = applyNorm(p.norm1, x.ref);
  const source = z ? applyNorm(p.normContext, z) : h.ref;
  const [batch, rows] = x.shape;
  const heads = (t, n) => np.transpose(t.reshape([batch, n, HEADS, WIDTH / HEADS]), [0, 2, 1, 3]);
  const q = heads(applyLinear(p.q, h), rows).mul((WIDTH / HEADS) ** -0.5);
  const [k, v] = np.split(applyLinear(p.kv, source), 2, -1);
  const tokens = k.shape[1];
  // Its own dotProductAttention needs Node 22.
  const weights = nn.softmax(np.matmul(q, np.transpose(heads(k, tokens), [0, 1, 3, 2])), -1);
  const seen = np.transpose(np.matmul(weights, heads(v, tokens)), [0, 2, 1, 3]).reshape([batch, rows, WIDTH]);
  const y = x.add(applyLinear(p.out, seen));
  const hidden = nn.gelu(applyLinear(p.fc1, applyNorm(p.norm2, y.ref)), { approximate: false });
  return y.add(applyLinear(p.fc2, hidden));
}

function loss(p, { maps, patches, mask, index, visible }) {
  const z = applyLinear(p.project, maps)
    .add(p.place)
    .reshape([PEOPLE, INPUTS * IMAGE_TOKENS, CONTEXT]);
  let x = np.broadcastTo(p.query, [PEOPLE, TOKENS, WIDTH]);
  x = applyBlock(p.encoderCross[0], x, z.ref);
  x = applyBlock(p.encoderCross[1], x, z);
  for (const one of p.encoderSelf) x = applyBlock(one, x);
  const identity = np.repeat(applyNorm(p.encoderNorm, x), TARGETS, 0);
  const shown = visible.reshape([1, CHOSEN, 1]);
  let t = np.where(shown, applyLinear(p.patches, patches.ref), p.maskToken).add(np.take(p.position, index, 0));
  for (const one of p.pose) t = applyBlock(one, t);
  t = applyBlock(p.decoderCross[0], t, identity.ref);
  t = applyBlock(p.decoderCross[1], t, identity);
  for (const one of p.decoderSelf) t = applyBlock(one, t);
  const decoded = applyLinear(p.pixels, applyNorm(p.decoderNorm, t));
  return np.abs(decoded.sub(patches)).mul(mask.ref).sum().div(mask.sum());
}

const images = PEOPLE * TARGETS;
const indices = Int32Array.from(
  { length: images * CHOSEN },
  (_, i) => ((i % CHOSEN) * 2 + Math.floor(i / CHOSEN)) % GRID,
);
const batch = {
  maps: normal([PEOPLE * INPUTS, IMAGE_TOKENS, 1024], 1),
  patches: normal([images, CHOSEN, 48], 0.5),
  mask: np.ones([images, CHOSEN, 48]),
  index: np.array(indices, { dtype: np.int32 }).reshape([images, CHOSEN]),
  visible: np.arange(CHOSEN).less(13),
};
const refs = (tree) =>
  Array.isArray(tree)
    ? tree.map(refs)
    : typeof tree.shape === "undefined"
      ? Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, refs(value)]))
      : tree.ref;
const step = jit(valueAndGrad(loss));

const [seconds, losses] = [[], []];
for (let i = 0; i < steps; i++) {
  const began = performance.now();
  const [value, gradients] = step(refs(parameters), refs(batch));
  losses.push(Number(await value.data()));
  await blockUntilReady(gradients);
  seconds.push((performance.now() - began) / 1000);
}
console.log(JSON.stringify({ seconds, losses }));
process.exit(0);
