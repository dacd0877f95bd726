import { readFileSync } from "node:fs";
import { manualSeed, randn, type Tensor } from "@omni-id/torch";
import { expect, test } from "vitest";
import { onnxBytes, runReference } from "../../torch/test/onnx-graph.ts";
import { recogniserModel } from "../src/model-entries.ts";
import { modelFile } from "../src/models.ts";
import { withoutPRelu } from "../src/prelu.ts";

const occurrences = (bytes: Uint8Array, text: string) => Buffer.from(bytes).toString("latin1").split(text).length - 1;

function graph(input: Tensor, slope: Tensor): Uint8Array {
  const channels = input.shape[1];
  return onnxBytes({
    nodes: [
      { op: "Conv", inputs: ["x", "w"], outputs: ["a"] },
      { op: "PRelu", inputs: ["a", "slope"], outputs: ["b"] },
      { op: "PRelu", inputs: ["b", "slope"], outputs: ["c"] },
      { op: "Add", inputs: ["b", "c"], outputs: ["y"] },
    ],
    inputs: { x: input },
    stored: { w: randn([channels, channels, 1, 1]), slope },
    outputs: ["y"],
  });
}

test("slopes a channel are spelled out, and every value stays the same: few channels and many, of either sign", async () => {
  manualSeed(3);
  for (const channels of [1, 3, 32, 160]) {
    const x = randn([1, channels, 5, 7]);
    const model = graph(x, randn([channels, 1, 1]));
    const spelled = withoutPRelu(model);
    expect([occurrences(model, "PRelu"), occurrences(spelled, "PRelu")]).toEqual([2, 0]);
    const [before, after] = await Promise.all([model, spelled].map((bytes) => runReference(bytes, { x })));
    expect(after[0].tolist()).toEqual(before[0].tolist());
  }
});

test("a PReLU of another form stays, and so does a model without any, byte for byte", () => {
  const x = randn([1, 4, 5, 7]);
  for (const slope of [randn([1]), randn([4, 5, 7]), randn([4, 1, 1]).to("float64")]) {
    const model = graph(x, slope);
    expect(Buffer.from(withoutPRelu(model)).equals(model)).toBe(true);
  }
});

test("the recogniser has 33 of them, and answers the same to the last bit", async () => {
  const bytes = readFileSync(modelFile(recogniserModel));
  expect(occurrences(bytes, "PRelu")).toBeGreaterThanOrEqual(33);
  const spelled = withoutPRelu(bytes);
  manualSeed(5);
  const input = randn([1, 3, 112, 112]);
  const [before, after] = await Promise.all([bytes, spelled].map((model) => runReference(model, { input })));
  expect(after[0].tolist()).toEqual(before[0].tolist());
});
