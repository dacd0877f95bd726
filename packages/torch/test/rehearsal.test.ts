import {
  arange,
  autocast,
  checkpoint,
  embedding,
  F,
  measureMemory,
  nn,
  ones,
  optim,
  type Rehearsal,
  randn,
  rehearse,
  scope,
  type Tensor,
  tensor,
  where,
} from "@omni-id/torch";
import { describe, expect, it } from "vitest";

class Block extends nn.Module {
  norm = new nn.LayerNorm({ size: 64 });
  up = new nn.Linear({ in: 64, out: 256 });
  down = new nn.Linear({ in: 256, out: 64 });

  forward(x: Tensor): Tensor {
    return scope(() => x.add(this.down.forward(F.gelu(this.up.forward(this.norm.forward(x))))));
  }
}
class Stack extends nn.Module {
  blocks = Array.from({ length: 4 }, () => new Block());

  forward(x: Tensor, { checkpoints = false } = {}): Tensor {
    return scope(() =>
      this.blocks.reduce((y, block) => (checkpoints ? checkpoint((z) => block.forward(z), [y]) : block.forward(y)), x),
    );
  }
}

const ROWS = 512;
/** One product each for `up` and `down`, of ROWS rows. */
const FORWARD = 4 * 2 * (2 * ROWS * 64 * 256);

function step(
  stack: Stack,
  optimiser: optim.AdamW,
  { dtype = "float32" as "float32" | "bfloat16", checkpoints = false },
) {
  scope(() => {
    const x = randn([ROWS, 64]);
    const loss = autocast({ dtype, enabled: dtype !== "float32" }, () => stack.forward(x, { checkpoints }))
      .square()
      .mean();
    loss.backward();
  });
  optimiser.step();
  optimiser.zeroGrad();
}

describe("a rehearsal", () => {
  it.each(["float32", "bfloat16"] as const)("takes the memory that is measured: %s", (dtype) => {
    const run = () => {
      const stack = new Stack();
      const optimiser = new optim.AdamW(stack.parameters());
      for (let i = 0; i < 2; i++) step(stack, optimiser, { dtype });
    };
    const { peak } = measureMemory(run);
    const rehearsed = rehearse({ device: "cpu" }, (rehearsal) => {
      const from = rehearsal.now();
      run();
      return rehearsal.most({ from, to: rehearsal.now() });
    });
    // The processor's products in bfloat16 take scratch of oneDNN's (up to 130 kB in LibTorch 1.13, to 200 kB in 2.13).
    const scratch = dtype === "bfloat16" ? 250_000 : 0;
    expect(rehearsed).toBeGreaterThan(0.999 * peak - scratch);
    expect(rehearsed).toBeLessThan(1.001 * peak);
  });

  it("counts products forward and backward, and once more under checkpoints, which take less memory", () => {
    const count = (device: "cpu" | "cuda", checkpoints: boolean) =>
      rehearse({ device }, (rehearsal) => {
        const stack = new Stack();
        const optimiser = new optim.AdamW(stack.parameters());
        step(stack, optimiser, {});
        const from = rehearsal.now();
        step(stack, optimiser, { checkpoints });
        const to = rehearsal.now();
        return { flops: to.flops - from.flops, calls: to.calls - from.calls, most: rehearsal.most({ from, to }) };
      });
    for (const device of ["cpu", "cuda"] as const) {
      const [plain, twice] = [count(device, false), count(device, true)];
      // Backward: by the input and by the weight.
      expect(plain.flops).toBe(3 * FORWARD);
      expect(twice.flops).toBe(4 * FORWARD);
      expect(twice.most).toBeLessThan(0.7 * plain.most);
      expect(plain.calls).toBeGreaterThan(20);
    }
  });

  it("counts convolutions and attention as by hand", () => {
    const flopsOf = (device: "cpu" | "cuda", fn: () => Tensor) =>
      rehearse({ device }, (rehearsal) => {
        fn();
        const forward = rehearsal.now().flops;
        fn().sum().backward();
        return [forward, rehearsal.now().flops - 2 * forward];
      });
    const x = () => randn([2, 6, 20, 20]).requiresGrad_();
    const convolution = () =>
      F.conv2d(x(), randn([8, 3, 3, 3]).requiresGrad_(), null, { stride: 2, padding: 1, groups: 2 });
    const product = 2 * (2 * 8 * 10 * 10) * (3 * 9);
    expect(flopsOf("cpu", convolution)).toEqual([product, 2 * product]);
    const [batch, tokens, heads, width] = [2, 24, 4, 32];
    const scores = 2 * batch * heads * tokens * tokens * width;
    const packed = () => F.attentionPackedQkv(randn([batch, tokens, 3 * heads * width]).requiresGrad_(), heads);
    expect(flopsOf("cpu", packed)).toEqual([2 * scores, 4 * scores]);
    const q = () => randn([batch, heads, tokens, width]).requiresGrad_();
    // Kernels that keep no scores compute them again.
    expect(flopsOf("cuda", () => nn.attention(q(), q(), q()))).toEqual([2 * scores, 5 * scores]);
  });

  it("gives every result the shape and dtype that it would have", () => {
    const results = () => {
      const image = randn([2, 4, 8, 8]).requiresGrad_();
      const rows = randn([6, 5]).requiresGrad_();
      const index = tensor([4, 0, 4], { dtype: "int64" });
      const groups = { weight: ones([4]).requiresGrad_(), bias: ones([4]).requiresGrad_() };
      const outputs = [
        F.groupNorm(image, 2, groups.weight, groups.bias),
        F.conv2d(image, randn([3, 4, 3, 3]).requiresGrad_(), randn([3]).requiresGrad_(), { padding: 1 }),
        F.gridSample(image, randn([2, 5, 6, 2]).clamp(-0.9, 0.9).requiresGrad_()),
        F.layerNorm(rows, [5], ones([5]).requiresGrad_(), ones([5]).requiresGrad_()),
        rows.indexSelect(0, index),
        embedding(index, rows),
        where(rows.gt(0), rows, rows.mul(2)),
        rows.repeatInterleave(3, 0),
        rows.softmax(1),
        rows.transpose(0, 1).reshape([-1]),
        rows.gather(1, tensor([[1n], [2n], [0n], [1n], [0n], [4n]])),
        autocast({}, () => rows.matmul(rows.transpose(0, 1))),
      ];
      outputs.reduce((sum, output) => sum.add(output.float().sum()), ones([])).backward();
      const shapes = (list: (Tensor | null)[]) => list.map((one) => one && [...one.shape, one.dtype]);
      return shapes([...outputs, ...[image, rows, groups.weight].map(({ grad }) => grad)]);
    };
    const real = scope(results);
    expect(rehearse({ device: "cpu" }, () => scope(results))).toEqual(real);
    expect(rehearse({ device: "cuda" }, () => scope(results))).toEqual(real);
  });

  it("has room for tensors that no machine has, and computes a few whole numbers", () => {
    const huge = (rehearsal: Rehearsal) => {
      const huge = randn([1 << 20, 1 << 20]);
      const product = huge.matmul(huge);
      return {
        bytes: rehearsal.bytesAt(rehearsal.placesOf([huge, product, product.view([-1])])),
        device: product.device,
        flops: rehearsal.now().flops,
        numbers: arange(0, 4).add(1).tolist(),
        noLoss: huge.mean().item(),
      };
    };
    const told = rehearse({ device: "cuda" }, (rehearsal) => scope(() => huge(rehearsal)));
    expect(told).toEqual({ bytes: 2 * 4 * 2 ** 40, device: "cuda", flops: 2 ** 61, numbers: [1, 2, 3, 4], noLoss: 0 });
    // And it is over: everything is computed again.
    expect(ones([2]).add(1).tolist()).toEqual([2, 2]);
    expect(ones([2]).device).toBe("cpu");
  });

  it("refuses a second one inside, async functions, and goes on after an error", () => {
    const inside = () => rehearse({ device: "cpu" }, () => rehearse({ device: "cpu" }, () => 0));
    expect(inside).toThrow("a rehearsal is under way already");
    expect(() => rehearse({ device: "cpu" }, async () => 0)).toThrow("must not be async");
    expect(ones([2]).sum().item()).toBe(2);
  });
});
