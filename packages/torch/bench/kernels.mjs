// Each fused kernel against the plain operators it replaces, forward and backward, in one run: ratios of median CPU
// times, below 1 when the kernel gains. A kernel that gains in neither precision has no reason to be there.
// node packages/torch/bench/kernels.mjs [--json]
import process from "node:process";
import { adamwStep_, muonStep_ } from "../dist/fused.js";
import {
  autocast,
  cat,
  F,
  grad,
  noGrad,
  ones,
  op,
  optim,
  preferredPrecision,
  randn,
  scope,
  stack,
  version,
  zeros,
} from "../dist/index.js";
import { foreach } from "../dist/optim/foreach.js";

const [B, N, W, HEADS] = [48, 96, 128, 4];

/** Median CPU milliseconds of each variant, taken in turn so that a busy machine disturbs all alike. */
function compare(variants, rounds = 15) {
  const times = Object.fromEntries(Object.keys(variants).map((name) => [name, []]));
  for (let round = 0; round < rounds + 3; round++) {
    for (const [name, run] of Object.entries(variants)) {
      const before = process.cpuUsage();
      scope(run);
      const { user, system } = process.cpuUsage(before);
      if (round >= 3) times[name].push((user + system) / 1000);
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, t]) => [name, t.sort((a, b) => a - b)[t.length >> 1]]));
}

/** Forward under autocast and backward of both forms. */
function kernel(inputs, precision, fused, plain) {
  const leaves = inputs.map((t) => t.requiresGrad_().keep());
  const enabled = precision === "bfloat16";
  const step = (form) => () => {
    const outputs = autocast({ enabled }, () => [form(...leaves)].flat());
    grad(outputs, leaves, { gradOutputs: outputs.map((y) => y.detach()) });
  };
  return compare({ plain: step(plain), fused: step(fused) });
}

function plainAttention(q, k, v) {
  const split = (t) => t.unflatten(2, [HEADS, W / HEADS]).transpose(1, 2);
  const weights = split(q)
    .mul((W / HEADS) ** -0.5)
    .matmul(split(k).transpose(2, 3))
    .softmax(-1)
    .to(v.dtype);
  return weights.matmul(split(v)).transpose(1, 2).reshape(q.shape);
}

const rows = [];
const add = (name, precision, { plain, fused }) => rows.push({ name, precision, plain, fused, ratio: fused / plain });
for (const precision of ["float32", "bfloat16"]) {
  const make = (...shape) => randn(shape).to(precision);
  add(
    "attention, packed qkv",
    precision,
    kernel(
      [make(B, N, 3 * W)],
      precision,
      (qkv) => F.attentionPackedQkv(qkv, HEADS),
      (qkv) => plainAttention(...qkv.chunk(3, 2)),
    ),
  );
  add(
    "attention, packed kv",
    precision,
    kernel(
      [make(B, 32, W), make(B, 196, 2 * W)],
      precision,
      (q, kv) => F.attentionPackedKv(q, kv, HEADS),
      (q, kv) => plainAttention(q, ...kv.chunk(2, 2)),
    ),
  );
  const angle = randn([N, W / HEADS / 2]);
  const turns = stack([angle.cos(), angle.sin()], -1).flatten(-2);
  const complex = op("aten::polar")(ones([1]).expand(angle.shape), angle).view([N, 1, 1, W / HEADS / 2]);
  add(
    "RMSNorm and RoPE of packed qkv",
    precision,
    kernel(
      [make(B, N, 3 * W), ones([W / HEADS]), ones([W / HEADS])],
      precision,
      (qkv, queryScale, keyScale) => F.qkNormRope(qkv, { heads: HEADS, queryScale, keyScale, turns }),
      (qkv, queryScale, keyScale) => {
        const both = qkv
          .narrow(2, 0, 2 * W)
          .unflatten(2, [2, HEADS, -1])
          .float();
        const normed = F.rmsNorm(both, [W / HEADS], stack([queryScale, keyScale]).unsqueeze(1));
        const pairs = op("aten::view_as_complex")(normed.unflatten(-1, [-1, 2])).mul(complex);
        const turned = op("aten::view_as_real")(pairs).flatten(2).to(qkv.dtype);
        return cat([turned, qkv.narrow(2, 2 * W, W)], 2);
      },
    ),
  );
  // The plain form adds the bias inside the product; here as a pass of its own it would be unfair, so both run the product.
  const [x, w, b] = [make(B * N, W), randn([4 * W, W]).mul(0.1), zeros([4 * W])];
  add(
    "linear, bias, GELU",
    precision,
    kernel(
      [x, w, b],
      precision,
      (x, w, b) => F.biasGelu(F.linear(x, w), b),
      (x, w, b) => F.gelu(F.linear(x, w, b)),
    ),
  );
  // What follows a norm is a product: in bfloat16 the plain form casts for it.
  const cast = (y) => (precision === "bfloat16" ? y.bfloat16() : y);
  const norm = [randn([B, N, W]), make(B, N, W), ones([W]), zeros([W])];
  add(
    "residual + LayerNorm",
    precision,
    kernel(
      norm,
      precision,
      (x, d, w, b) => F.addLayerNorm(x, d, w, b),
      (x, d, w, b) => {
        const sum = x.add(d);
        return [sum, cast(F.layerNorm(sum, [W], w, b))];
      },
    ),
  );
  add(
    "modulated LayerNorm",
    precision,
    kernel(
      [randn([B, N, W]), randn([B, 1, W]), randn([B, 1, W])],
      precision,
      (x, shift, scale) => F.modulatedNorm(x, { shift, scale }),
      (x, shift, scale) => cast(shift.addcmul(F.layerNorm(x, [W], null, null, { eps: 1e-6 }), scale.add(1))),
    ),
  );
  add(
    "gated residual",
    precision,
    kernel([randn([B, N, W]), randn([B, 1, W]), make(B, N, W)], precision, F.gatedAdd, (x, gate, delta) =>
      x.addcmul(gate, delta),
    ),
  );
}

const shapes = Array.from({ length: 6 }, () => [
  [384, W],
  [W, W],
  [512, W],
  [W, 512],
]).flat();
const params = () => shapes.map((shape) => randn(shape).requiresGrad_().keep());
const like = (list) => list.map((p) => zeros(p.shape).keep());
{
  const [ours, theirs] = [params(), params()];
  const gradients = shapes.map((shape) => randn(shape).keep());
  for (const [i, p] of theirs.entries()) p.grad = gradients[i];
  const [means, squares] = [like(ours), like(ours)];
  let step = 0;
  const settings = { lr: 1e-3, betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0.05 };
  const plain = foreachAdamW(theirs, gradients, settings);
  add(
    "AdamW step",
    "float32",
    compare({
      plain,
      fused: () => {
        step++;
        noGrad(() => adamwStep_(ours, gradients, means, squares, { ...settings, steps: ours.map(() => step) }));
      },
    }),
  );

  const momenta = like(ours);
  const dtype = preferredPrecision();
  const muon = { lr: 0.02, momentum: 0.95, weightDecay: 0.01, nesterov: true, steps: 5, dtype };
  add(
    "Muon step",
    dtype,
    compare({
      plain: plainMuon(theirs, gradients, muon),
      fused: () => noGrad(() => muonStep_(ours, gradients, momenta, muon)),
    }),
  );
}

const libtorch = version();
if (process.argv.includes("--json")) {
  console.log(JSON.stringify({ libtorch, rows }));
} else {
  console.log(
    `LibTorch ${libtorch.libtorch ?? JSON.stringify(libtorch)}; CPU milliseconds, median of 15, both forms in turn`,
  );
  for (const { name, precision, plain, fused, ratio } of rows) {
    const times = `${plain.toFixed(2).padStart(8)} plain ${fused.toFixed(2).padStart(8)} fused`;
    console.log(`${name.padEnd(24)} ${precision.padEnd(9)} ${times}   ratio ${ratio.toFixed(2)}`);
  }
}

/** AdamW by LibTorch's list operators, one pass each. */
function foreachAdamW(params, gradients, { lr, betas, eps, weightDecay }) {
  const [means, squares] = [like(params), like(params)];
  let step = 0;
  return () =>
    noGrad(() => {
      step++;
      foreach.mul_(params, 1 - lr * weightDecay);
      foreach.mul_(means, betas[0]);
      foreach.add_(means, gradients, 1 - betas[0]);
      foreach.mul_(squares, betas[1]);
      foreach.addcmul_(squares, gradients, gradients, 1 - betas[1]);
      const denominators = foreach.sqrt(squares);
      foreach.div_(denominators, Math.sqrt(1 - betas[1] ** step));
      foreach.addScalar_(denominators, eps);
      foreach.addcdiv_(params, means, denominators, -lr / (1 - betas[0] ** step));
    });
}

/** Muon matrix by matrix shape with LibTorch's operators. */
function plainMuon(params, gradients, { lr, momentum, weightDecay, steps }) {
  const momenta = like(params);
  const groups = new Map(params.map(({ shape }) => [shape.join(), []]));
  for (const [i, { shape }] of params.entries()) groups.get(shape.join()).push(i);
  return () =>
    noGrad(() => {
      for (const places of groups.values()) {
        const updates = places.map((i) => gradients[i].lerp(momenta[i].lerp_(gradients[i], 1 - momentum), momentum));
        const [r, c] = params[places[0]].shape;
        const orthogonal = optim.orthogonalise(stack(updates), steps).float().unbind(0);
        const alpha = -lr * Math.sqrt(Math.max(1, r / c));
        for (const [k, i] of places.entries()) params[i].mul_(1 - lr * weightDecay).add_(orthogonal[k], { alpha });
      }
    });
}
