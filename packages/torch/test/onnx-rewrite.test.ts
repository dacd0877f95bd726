import { fromTypedArray, importOnnx, noGrad, randn, rewriteOnnx, type Tensor } from "@omni-id/torch";
import { halfBits } from "@omni-id/torch/plain";
import { describe, expect, it } from "vitest";
import { expectClose } from "./close.ts";
import { onnxBytes, runReference, withFile } from "./onnx-graph.ts";

const w = randn([40, 60]);
const v = randn([50, 40]);
const bias = randn([50]);

/** y = v relu(w x) + b, and what stands between. */
const bytes = onnxBytes({
  inputs: { x: randn([60, 3]) },
  stored: { w, v, bias },
  nodes: [
    { op: "MatMul", inputs: ["w", "x"], outputs: ["a"] },
    { op: "Relu", inputs: ["a"], outputs: ["between"] },
    { op: "MatMul", inputs: ["v", "between"], outputs: ["c"] },
    { op: "Transpose", inputs: ["c"], outputs: ["d"], attributes: { perm: [1, 0] } },
    { op: "Add", inputs: ["d", "bias"], outputs: ["y"] },
  ],
  outputs: ["y"],
});

const by = (a: Tensor, b: Tensor, x: Tensor) => b.matmul(a.matmul(x).relu()).transpose(0, 1).add(bias);

describe("rewriteOnnx", () => {
  it("gives values inside the graph names of their own, in order", async () => {
    const x = randn([60, 3]);
    const rewritten = rewriteOnnx(bytes, { first: "result", outputs: { between: "middle", a: "early" } });
    const [result, middle, early] = await runReference(rewritten, { x });
    expectClose(result, by(w, v, x), { atol: 1e-4 });
    expectClose(early, w.matmul(x), { atol: 1e-4 });
    expectClose(middle, w.matmul(x).relu(), { atol: 1e-4 });
    expect(() => rewriteOnnx(bytes, { outputs: { nothing: "n" } })).toThrow('no value "nothing"');
    expect(() => rewriteOnnx(new Uint8Array(0), {})).toThrow("it holds no graph");
  });

  it("stores large weights in 16 bits, which are LibTorch's own halves", async () => {
    const x = randn([60, 3]);
    const halved = rewriteOnnx(bytes, { weights: "float16" });
    expect(halved.length).toBeLessThan(0.6 * bytes.length);
    const [result] = await runReference(halved, { x });
    expectClose(result, by(w.half().float(), v.half().float(), x), { atol: 1e-4 });
    // Ours reads it too.
    const back = withFile(halved, (path) => importOnnx(path));
    expectClose(noGrad(() => back.run({ x }, ["y"])).y, result, { atol: 1e-4 });
  });

  it("stores them in 8 bits, each channel within half of its step", async () => {
    const x = randn([60, 3]);
    const narrow = rewriteOnnx(bytes, { weights: "int8" });
    expect(narrow.length).toBeLessThan(0.4 * bytes.length);
    const stepped = (weight: Tensor) => {
      const step = weight.abs().amax([1], { keepdim: true }).div(127);
      return weight.div(step).round().mul(step);
    };
    const [result] = await runReference(narrow, { x });
    expectClose(result, by(stepped(w), stepped(v), x), { atol: 1e-3 });
  });
});

describe("halfBits", () => {
  it("rounds as LibTorch does: normal, small, vanishing, huge, ties, no numbers", () => {
    const edges = [
      0, -0, 1, -2, 65504, 65519.99, 65520, 1e9, -1e9, 6e-8, 2.98e-8, 2.9802322e-8, 8.9e-8, 6.1e-5, 6.097e-5, 0.1,
    ];
    const ties = Array.from({ length: 200 }, (_, i) => (1 + (2 * i + 1) / 2048) * 2 ** ((i % 30) - 15));
    const wanted = [...edges, ...ties, Number.POSITIVE_INFINITY];
    const tensor = randn([4096]).mul(3);
    const all = Float32Array.from([...wanted, ...(tensor.toTypedArray() as Float32Array)]);
    const bits = halfBits(all);
    const theirs = importHalf(all);
    expect(Array.from(bits)).toEqual(Array.from(theirs));
    expect(halfBits([Number.NaN])[0] & 0x7fff).toBeGreaterThan(0x7c00);
  });
});

function importHalf(values: Float32Array): Uint16Array {
  const raw = fromTypedArray(values, [values.length]).half().data();
  return new Uint16Array(raw.buffer, raw.byteOffset, values.length);
}
