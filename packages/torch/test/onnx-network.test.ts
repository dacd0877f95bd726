import { existsSync } from "node:fs";
import { Generator, importOnnx, noGrad, randn, scope } from "@omni-id/torch";
import { describe, expect, test } from "vitest";
import { expectClose } from "./close.ts";
import { assetModel, runReference } from "./onnx-graph.ts";

/** Networks as they come from training frameworks: the asset package's, which set-up fetches. */
const networks: [file: string, shape: number[]][] = [
  ["fr_feature.onnx", [1, 3, 112, 112]],
  ["fr_detect.onnx", [1, 3, 240, 320]],
];

describe.each(networks.filter(([file]) => existsSync(assetModel(file))))("%s", (file, [, ...image]) => {
  const generator = new Generator(4);
  const model = importOnnx(assetModel(file)).requiresGrad_(false);

  test("equals onnxruntime", async () => {
    const x = randn([1, ...image], { generator });
    const name = model.inputs[0];
    const expected = await runReference(assetModel(file), { [name]: x });
    const ours = noGrad(() => model.run({ [name]: x }, model.outputs));
    for (const [i, output] of model.outputs.entries()) {
      expectClose(ours[output], expected[i], { atol: 1e-5, rtol: 1e-5 });
    }
  });

  test("takes any batch: each image alone gives the same", () => {
    const [name, output] = [model.inputs[0], model.outputs[0]];
    const x = randn([3, ...image], { generator });
    const run = (input: typeof x) => noGrad(() => model.run({ [name]: input }, [output]))[output];
    const together = run(x);
    for (let i = 0; i < 3; i++) {
      expectClose(
        together.at({ start: i, end: i + 1 }).contiguous(),
        run(x.at({ start: i, end: i + 1 }).contiguous()),
        {
          atol: 2e-5,
        },
      );
    }
  });
});

test.runIf(existsSync(assetModel("fr_feature.onnx")))(
  "the recogniser's gradient to its input equals finite differences along random directions",
  () => {
    const generator = new Generator(8);
    const model = importOnnx(assetModel("fr_feature.onnx")).requiresGrad_(false).to({ dtype: "float64" });
    const [name, output] = [model.inputs[0], model.outputs[0]];
    const x = randn([1, 3, 112, 112], { generator, dtype: "float64" }).requiresGrad_();
    const weights = randn([512], { generator, dtype: "float64" });
    const f = (input: typeof x) =>
      model
        .run({ [name]: input }, [output])
        [output].mul(weights)
        .sum();
    f(x).backward();
    for (let k = 0; k < 3; k++) {
      scope(() =>
        noGrad(() => {
          const direction = randn([1, 3, 112, 112], { generator, dtype: "float64" });
          const h = 1e-7;
          const numeric = (f(x.add(direction.mul(h))).item() - f(x.sub(direction.mul(h))).item()) / (2 * h);
          const analytic = (x.grad as typeof x).mul(direction).sum().item();
          // PReLU's kinks lie between the two points for a few of the 10⁵ activations.
          expect(Math.abs(analytic - numeric) / Math.abs(numeric)).toBeLessThan(1e-3);
        }),
      );
    }
  },
);
