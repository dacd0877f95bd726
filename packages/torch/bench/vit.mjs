// A vision transformer's training step with and without each fused kernel, in one run: ratios of median step times.
// node packages/torch/bench/vit.mjs [width] [batch] [tokens] [float32|bfloat16]
import process from "node:process";
import {
  autocast,
  F,
  getNumThreads,
  manualSeed,
  ones,
  optim,
  profile,
  randn,
  scope,
  setNumThreads,
  zeros,
} from "../dist/index.js";

const [W = 128, B = 96, N = 96] = process.argv.slice(2, 5).map(Number);
const precision = process.argv[5] ?? "bfloat16";
const [DEPTH, D] = [4, 32];
const heads = W / D;
if (process.env.THREADS) setNumThreads(Number(process.env.THREADS));

function model(fused) {
  manualSeed(0);
  const params = [];
  const param = (t) => {
    params.push(t.requiresGrad_().keep());
    return t;
  };
  const lin = (i, o) => [param(randn([o, i]).mul_(0.02)), param(zeros([o]))];
  const norm = () => [param(ones([W])), param(zeros([W]))];
  const blocks = Array.from({ length: DEPTH }, () => ({
    n1: norm(),
    qkv: lin(W, 3 * W),
    proj: lin(W, W),
    n2: norm(),
    up: lin(W, 4 * W),
    down: lin(4 * W, W),
  }));
  const last = norm();
  const head = lin(W, 48);
  const x = randn([B, N, W]).keep();
  const y = randn([B, N, 48]).keep();

  const attention = (qkv) => {
    if (fused.attention) return F.attentionPackedQkv(qkv, heads);
    const [q, k, v] = qkv.reshape([B, N, 3, heads, D]).permute([2, 0, 3, 1, 4]).unbind(0);
    return q
      .mul(D ** -0.5)
      .matmul(k.transpose(-2, -1))
      .softmax(-1)
      .to(v.dtype)
      .matmul(v)
      .transpose(1, 2)
      .reshape([B, N, W]);
  };
  const gelu = (h, [w, b]) => (fused.gelu ? F.biasGelu(F.linear(h, w), b) : F.gelu(F.linear(h, w, b)));
  const forward = () => {
    let h = x;
    let normed = fused.norm ? F.fusedLayerNorm(h, ...blocks[0].n1) : F.layerNorm(h, [W], ...blocks[0].n1);
    const residual = (delta, [w, b]) => {
      if (fused.norm) [h, normed] = F.addLayerNorm(h, delta, w, b);
      else {
        h = h.add(delta);
        normed = F.layerNorm(h, [W], w, b);
      }
    };
    blocks.forEach(({ qkv, proj, n2, up, down }, i) => {
      residual(F.linear(attention(F.linear(normed, ...qkv)), ...proj), n2);
      residual(F.linear(gelu(normed, up), ...down), blocks[i + 1]?.n1 ?? last);
    });
    return F.l1Loss(F.linear(normed, ...head).float(), y);
  };
  const optimiser = new optim.AdamW(params, { lr: 1e-3 });
  return () =>
    scope(() => {
      const loss = autocast({ enabled: precision === "bfloat16" }, forward);
      loss.backward();
      optimiser.step();
      optimiser.zeroGrad();
      return loss.item();
    });
}

const variants = {
  plain: {},
  attention: { attention: true },
  gelu: { gelu: true },
  norm: { norm: true },
  all: { attention: true, gelu: true, norm: true },
};
const steps = Object.fromEntries(Object.entries(variants).map(([name, fused]) => [name, model(fused)]));
const times = Object.fromEntries(Object.keys(variants).map((name) => [name, []]));
const losses = {};
for (let round = 0; round < Number(process.env.ROUNDS ?? 12); round++) {
  for (const [name, step] of Object.entries(steps)) {
    const started = process.cpuUsage();
    const wall = performance.now();
    losses[name] = step();
    const used = process.cpuUsage(started);
    if (round > 1) times[name].push([performance.now() - wall, (used.user + used.system) / 1000]);
  }
}
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const [plain, plainCpu] = [0, 1].map((i) => median(times.plain.map((t) => t[i])));
console.log(`width ${W}, batch ${B}, ${N} tokens, ${precision}, ${getNumThreads()} threads`);
for (const name of Object.keys(variants)) {
  const [wall, cpu] = [0, 1].map((i) => median(times[name].map((t) => t[i])));
  console.log(
    `${name.padEnd(10)} ${wall.toFixed(0).padStart(6)} ms  ${(wall / plain).toFixed(3)}   CPU ${cpu.toFixed(0).padStart(6)} ms  ${(cpu / plainCpu).toFixed(3)}   loss ${losses[name].toFixed(6)}`,
  );
}

if (process.env.PROFILE) {
  for (const name of process.env.PROFILE.split(",")) {
    console.log(`\n${name}: ms a step`);
    for (const { operator, seconds, calls } of profile(() => [1, 2, 3].forEach(steps[name])).slice(0, 22))
      console.log(
        `${operator.padEnd(55)} ${((seconds / 3) * 1000).toFixed(2).padStart(8)} ${(calls / 3).toFixed(0).padStart(5)}`,
      );
  }
}
