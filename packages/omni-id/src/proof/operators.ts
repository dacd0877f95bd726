import { F, Generator, grad, onDevice, optim, randn, scope, type Tensor, tensor } from "@omni-id/torch";
import type { Finding, ProofContext } from "./part.ts";

/** Largest difference that float32 may show between two machines, as a share of the largest value. */
const LIMIT = 1e-4;

interface OperatorCase {
  shapes: readonly (readonly number[])[];
  run: (...inputs: Tensor[]) => Tensor;
}

const index = () => tensor([3, 0, 3, 5], { dtype: "int64" });

/** What the models of this project are made of, at sizes of a small block. */
const CASES: Readonly<Record<string, OperatorCase>> = {
  "matrix product": {
    shapes: [
      [64, 96],
      [96, 48],
    ],
    run: (a, b) => a.matmul(b),
  },
  linear: { shapes: [[4, 16, 64], [32, 64], [32]], run: (x, w, b) => F.linear(x, w, b) },
  convolution: {
    shapes: [[2, 8, 24, 24], [16, 8, 3, 3], [16]],
    run: (x, w, b) => F.conv2d(x, w, b, { stride: 2, padding: 1 }),
  },
  "layer norm": { shapes: [[4, 16, 64], [64], [64]], run: (x, w, b) => F.layerNorm(x, [64], w, b) },
  "group norm": { shapes: [[2, 32, 8, 8], [32], [32]], run: (x, w, b) => F.groupNorm(x, 8, w, b) },
  "RMS norm": { shapes: [[4, 16, 64], [64]], run: (x, w) => F.rmsNorm(x, [64], w) },
  softmax: { shapes: [[8, 200]], run: (x) => x.softmax(-1) },
  GELU: { shapes: [[64, 64]], run: (x) => F.gelu(x) },
  SiLU: { shapes: [[64, 64]], run: (x) => F.silu(x) },
  attention: {
    shapes: [
      [2, 4, 40, 32],
      [2, 4, 24, 32],
      [2, 4, 24, 32],
    ],
    run: (q, k, v) => F.scaledDotProductAttention(q, k, v),
  },
  "rows by number": { shapes: [[8, 32]], run: (x) => x.indexSelect(0, index()) },
  embedding: { shapes: [[8, 32]], run: (w) => F.embedding(index(), w) },
  resampling: { shapes: [[2, 3, 16, 16]], run: (x) => F.interpolate(x, { size: [24, 24], mode: "bilinear" }) },
  "grid sampling": {
    shapes: [
      [2, 3, 16, 16],
      [2, 8, 8, 2],
    ],
    run: (x, grid) => F.gridSample(x, grid.tanh()),
  },
  "sorting and sums along": { shapes: [[8, 100]], run: (x) => x.cumsum(-1).roll([3], [0]).amax([1]) },
  "packed attention of our own": { shapes: [[2, 40, 3 * 64]], run: (qkv) => F.attentionPackedQkv(qkv, 4) },
  "bias and GELU of our own": { shapes: [[4, 16, 64], [64]], run: (x, b) => F.biasGelu(x, b) },
  "residual and norm of our own": {
    shapes: [[4, 16, 64], [4, 16, 64], [64], [64]],
    run: (x, y, w, b) => F.addLayerNorm(x, y, w, b).reduce((sum, part) => sum.add(part)),
  },
  "modulated norm of our own": {
    shapes: [
      [4, 16, 64],
      [4, 1, 64],
      [4, 1, 64],
    ],
    run: (x, shift, scale) => F.modulatedNorm(x, { shift, scale }),
  },
  "gated residual of our own": {
    shapes: [
      [4, 16, 64],
      [4, 1, 64],
      [4, 16, 64],
    ],
    run: F.gatedAdd,
  },
};

/** Every operator forward and backward, on the device and on the processor from the same numbers. */
export function* operators({ device }: ProofContext): Iterable<Finding> {
  for (const [name, { shapes, run }] of Object.entries(CASES)) {
    const on = (where: string): Tensor[] =>
      onDevice(where, () => {
        const generator = new Generator(7);
        const inputs = shapes.map((shape) => randn(shape, { generator }).requiresGrad_());
        const out = run(...inputs);
        const towards = randn(out.shape, { generator });
        return [out.detach(), ...grad([out], inputs, { gradOutputs: [towards] })].map((t) => t.to("cpu"));
      });
    yield { name, value: scope(() => apart(on(device), on("cpu"))), limit: LIMIT };
  }
  yield { name: "draws of a seeded generator", value: scope(() => drawsApart(device)), limit: 0 };
  for (const kind of ["adamw", "muon"] as const)
    yield {
      name: `three steps of ${kind}`,
      value: scope(() => stepsApart(device, kind)),
      limit: kind === "muon" ? 2e-2 : LIMIT,
    };
}

/** Largest difference of two lists of tensors in main memory, each as a share of its own largest value. */
function apart(some: readonly Tensor[], wanted: readonly Tensor[]): number {
  const largest = (t: Tensor) => t.double().abs().max().item();
  return Math.max(...some.map((tensor, i) => largest(tensor.double().sub(wanted[i].double())) / largest(wanted[i])));
}

function drawsApart(device: string): number {
  const draw = (where: string) => onDevice(where, () => randn([1000], { generator: new Generator(5) }).to("cpu"));
  return apart([draw(device)], [draw("cpu")]);
}

/** Muon may round its five products to bfloat16, which hosts do differently. */
function stepsApart(device: string, kind: "adamw" | "muon"): number {
  const train = (where: string) =>
    onDevice(where, () => {
      const generator = new Generator(9);
      const weight = randn([32, 48], { generator }).mul(0.1).requiresGrad_();
      const x = randn([64, 48], { generator });
      const optimiser =
        kind === "muon" ? new optim.Muon([weight], { lr: 0.02 }) : new optim.AdamW([weight], { lr: 1e-2 });
      for (let step = 0; step < 3; step++) {
        F.linear(x, weight).square().mean().backward();
        optimiser.step();
        optimiser.zeroGrad();
      }
      return weight.detach().to("cpu");
    });
  return apart([train(device)], [train("cpu")]);
}
