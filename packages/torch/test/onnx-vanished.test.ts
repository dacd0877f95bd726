import { expect, test } from "vitest";
import { importOnnx, rand, tensor } from "../src/index.ts";
import { onnxBytes, withFile } from "./onnx-graph.ts";

test("weights that vanish are zero when a graph is opened: products with them are slow and add nothing; constants stay", () => {
  const weights = [0.5, 1e-39, -1e-21, -3e-20, ...new Array<number>(12).fill(1)];
  const bytes = onnxBytes({
    nodes: [
      { op: "MatMul", inputs: ["x", "w"], outputs: ["y"] },
      { op: "Add", inputs: ["y", "epsilon"], outputs: ["z"] },
    ],
    inputs: { x: rand([1, 4]) },
    stored: { w: tensor(weights, { shape: [4, 4] }), epsilon: tensor([1e-30]) },
    outputs: ["z"],
  });
  const { w, epsilon } = withFile(bytes, (path) => importOnnx(path).weights) as unknown as Record<
    "w" | "epsilon",
    { toTypedArray(): Float32Array }
  >;
  expect(w.toTypedArray()).toEqual(Float32Array.from([0.5, 0, 0, -3e-20, ...weights.slice(4)]));
  expect(epsilon.toTypedArray()).toEqual(Float32Array.from([1e-30]));
});
