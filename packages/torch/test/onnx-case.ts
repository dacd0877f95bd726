import { importOnnx, noGrad, type Tensor } from "@omni-id/torch";
import { expect, test } from "vitest";
import { expectClose } from "./close.ts";
import { expectGradients } from "./gradcheck.ts";
import { type AttributeValue, type NodeSpec, onnxBytes, runReference, withFile } from "./onnx-graph.ts";

export interface Case {
  op: string;
  inputs?: Tensor[];
  /** Kept in the file instead of fed, by the place among the node's inputs. */
  stored?: Record<number, Tensor>;
  attributes?: Record<string, AttributeValue>;
  outputs?: number;
  opset?: number;
  /** Whether gradients are compared with finite differences; not for those that are not differentiable everywhere. */
  gradient?: boolean;
  tolerance?: { atol?: number; rtol?: number };
}

const title = ({ op, attributes, inputs = [], opset = 17 }: Case) =>
  `${op} ${inputs.map((x) => `[${x.shape}]`).join(" ")} ${JSON.stringify(attributes ?? {}).slice(0, 90)} opset ${opset}`;

/** Each operator alone: its values against onnxruntime, its gradients against finite differences. */
export function checkCases(cases: readonly Case[]): void {
  test.each(cases.map((one) => [title(one), one] as const))("%s", async (_, one) => {
    const { inputs = [], stored = {}, outputs = 1, opset } = one;
    const places = Math.max(-1, ...Object.keys(stored).map(Number), inputs.length - 1) + 1;
    const fed: Record<string, Tensor> = {};
    const kept: Record<string, Tensor> = {};
    const waiting = [...inputs];
    const names = Array.from({ length: places }, (_unused, i) => {
      if (stored[i]) kept[`k${i}`] = stored[i];
      else if (waiting.length === 0) return "";
      else fed[`x${i}`] = waiting.shift() as Tensor;
      return stored[i] ? `k${i}` : `x${i}`;
    });
    const node: NodeSpec = {
      op: one.op,
      inputs: names,
      outputs: Array.from({ length: outputs }, (_unused, i) => `y${i}`),
      attributes: one.attributes,
    };
    const bytes = onnxBytes({ nodes: [node], inputs: fed, stored: kept, outputs: node.outputs, opset });
    const expected = await runReference(bytes, fed);
    const model = withFile(bytes, (path) => importOnnx(path));
    const ours = noGrad(() => model.run(fed, node.outputs));
    node.outputs.forEach((name, i) => {
      expect(ours[name].shape).toEqual(expected[i].shape);
      expect(ours[name].dtype).toBe(expected[i].dtype);
      expectClose(ours[name], expected[i], { atol: 2e-6, rtol: 1e-5, ...one.tolerance });
    });
    if (!one.gradient) return;
    model.to({ dtype: "float64" });
    const floats = Object.entries(fed).filter(([, x]) => x.dtype.includes("float"));
    const rest = Object.entries(fed).filter(([, x]) => !x.dtype.includes("float"));
    const leaves = floats.map(([, x]) => x.double().requiresGrad_());
    expectGradients((...xs) => {
      const feeds = Object.fromEntries([...floats.map(([name], i) => [name, xs[i]] as const), ...rest]);
      return model.run(feeds, ["y0"]).y0.contiguous();
    }, leaves);
  });
}
