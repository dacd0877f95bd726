import { readFileSync } from "node:fs";
import { manualSeed, rand, tensor } from "@omni-id/torch";
import { expect, test } from "vitest";
import { onnxBytes, runReference } from "../../torch/test/onnx-graph.ts";
import { recogniserModel } from "../src/model-entries.ts";
import { modelFile } from "../src/models.ts";
import { withoutSubnormals } from "../src/subnormal.ts";

test("weights that vanish become zero, nothing else changes: whole numbers keep their bits", () => {
  const model = (weights: number[]) =>
    onnxBytes({
      nodes: [{ op: "MatMul", inputs: ["x", "w"], outputs: ["y"] }],
      inputs: { x: rand([1, 4]) },
      stored: {
        w: tensor([...weights, ...new Array(12).fill(1)], { shape: [4, 4] }),
        epsilon: tensor([1e-30]),
        // Small numbers that read as float32 are below the normal range.
        shape: tensor(
          Array.from({ length: 20 }, (_, i) => i),
          { dtype: "int64" },
        ),
      },
      outputs: ["y"],
    });
  expect(Buffer.from(withoutSubnormals(model([0.5, 1e-39, -1e-21, -3e-20])))).toEqual(
    Buffer.from(model([0.5, 0, 0, -3e-20])),
  );
});

test("the recogniser answers the same to the last bit", async () => {
  const bytes = readFileSync(modelFile(recogniserModel));
  const clean = withoutSubnormals(bytes);
  expect(Buffer.from(clean).equals(bytes)).toBe(false);
  manualSeed(5);
  const input = rand([1, 3, 112, 112]).mul(2).sub(1);
  const [before, after] = await Promise.all([bytes, clean].map((model) => runReference(model, { input })));
  expect(after[0].tolist()).toEqual(before[0].tolist());
});
