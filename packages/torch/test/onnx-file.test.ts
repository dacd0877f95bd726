import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { arange, grad, importOnnx, noGrad, type Tensor, tensor } from "@omni-id/torch";
import { afterAll, describe, expect, test } from "vitest";
import { messageType } from "../src/onnx/proto.ts";
import { expectClose } from "./close.ts";
import { float, type InnerGraph, type NodeSpec, onnxBytes, runReference, withFile } from "./onnx-graph.ts";

const folder = mkdtempSync(join(tmpdir(), "omni-id-onnx-file-"));
afterAll(() => rmSync(folder, { recursive: true }));
const x = () => arange(6, { dtype: "float32" }).reshape([2, 3]);
const one = (node: Omit<NodeSpec, "inputs" | "outputs">, opset = 17) =>
  onnxBytes({ nodes: [{ inputs: ["x"], outputs: ["y"], ...node }], inputs: { x: x() }, outputs: ["y"], opset });

describe("an attribute that is not obeyed is an error that names it", () => {
  test.each<[NodeSpec["op"], NonNullable<NodeSpec["attributes"]>, RegExp]>([
    ["Relu", { consumed_inputs: [0] }, /node node0 \(Relu\): attribute "consumed_inputs" is not known to importOnnx/],
    ["Softmax", { axes: 1 }, /attribute "axes" is not known to importOnnx, and would not be obeyed/],
    ["LeakyRelu", { slope: float(0.1) }, /\(LeakyRelu\): attribute "slope"/],
  ])("%s", (op, attributes, message) => {
    expect(() => withFile(one({ op, attributes }), (path) => importOnnx(path))).toThrow(message);
  });
  test("a value that is not obeyed is one when the node runs", () => {
    const pool = one({ op: "Cast", attributes: { to: 1, saturate: 0 } });
    const model = withFile(pool, (path) => importOnnx(path));
    expect(() => model.forward(x())).toThrow(/attribute "saturate" is 0; only 1 is supported/);
  });
});

describe("If", () => {
  const branch = (op: string): InnerGraph => ({
    nodes: [{ op, inputs: ["h", "two"], outputs: [`${op}_out`] }],
    stored: { two: tensor(op === "Mul" ? 2 : 3) },
    outputs: { [`${op}_out`]: "float32" },
  });
  const model = (
    condition: Record<string, ReturnType<typeof tensor>>,
    stored: Record<string, ReturnType<typeof tensor>>,
  ) =>
    onnxBytes({
      nodes: [
        { op: "Exp", inputs: ["x"], outputs: ["h"] },
        {
          op: "If",
          inputs: ["on"],
          outputs: ["y"],
          attributes: { then_branch: { graph: branch("Mul") }, else_branch: { graph: branch("Add") } },
        },
      ],
      inputs: { x: x(), ...condition },
      stored,
      outputs: ["y"],
    });

  test.each([true, false])("with a condition that the file holds (%s), values and gradient", async (on) => {
    const bytes = model({}, { on: tensor([on]) });
    const imported = withFile(bytes, (path) => importOnnx(path));
    const [expected] = await runReference(bytes, { x: x() });
    expectClose(
      noGrad(() => imported.forward(x())),
      expected,
      { atol: 1e-6 },
    );
    // What the branches hold belongs to the module: it is converted and moved with it.
    expect([...imported.stateDict().keys()].filter((key) => key.endsWith("two"))).toHaveLength(2);
    imported.to({ dtype: "float64" });
    const leaf = x().double().requiresGrad_();
    const [slope] = grad(imported.forward(leaf).sum(), [leaf]);
    expectClose(
      slope,
      leaf
        .detach()
        .exp()
        .mul(on ? 2 : 1),
      { atol: 1e-9 },
    );
  });

  test.each([true, false])("with one that is fed (%s)", async (on) => {
    const bytes = model({ on: tensor([on]) }, {});
    const feeds = { x: x(), on: tensor([on]) };
    const [expected] = await runReference(bytes, feeds);
    const imported = withFile(bytes, (path) => importOnnx(path));
    expectClose(noGrad(() => imported.run(feeds, ["y"])).y, expected, { atol: 1e-6 });
  });

  test("an operator that is lacking inside is named at once", () => {
    const inner: InnerGraph = { nodes: [{ op: "Nothing", inputs: ["x"], outputs: ["z"] }], outputs: { z: "float32" } };
    const bytes = onnxBytes({
      nodes: [
        {
          op: "If",
          inputs: ["on"],
          outputs: ["y"],
          attributes: { then_branch: { graph: inner }, else_branch: { graph: inner } },
        },
      ],
      inputs: { x: x() },
      stored: { on: tensor([true]) },
      outputs: ["y"],
    });
    expect(() => withFile(bytes, (path) => importOnnx(path))).toThrow(/does not have the operator Nothing/);
  });
});

/** A model `y = x + w` whose `w` is told by these fields of its TensorProto. */
function withWeight(weight: Record<string, unknown>, name = "model.onnx"): string {
  const Model = messageType("ModelProto");
  const path = join(folder, name);
  const bytes = Model.encode(
    Model.fromObject({
      irVersion: 8,
      opsetImport: [{ domain: "", version: 17 }],
      graph: {
        node: [{ opType: "Add", name: "add", input: ["x", "w"], output: ["y"] }],
        initializer: [{ name: "w", ...weight }],
        input: [{ name: "x" }],
        output: [{ name: "y" }],
      },
    }),
  ).finish();
  writeFileSync(path, bytes);
  return path;
}

test("whole numbers beyond 2^53 are read to the last digit", () => {
  const path = withWeight({
    dims: [3],
    dataType: 7,
    int64Data: ["9223372036854775807", "-9223372036854775808", "9007199254740993"],
  });
  const w = importOnnx(path).stateDict().get("weights.w") as Tensor;
  expect([...(w.toTypedArray() as BigInt64Array)]).toEqual([2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n]);
});

test("a Slice to the largest number goes to the end, whatever its tensors are called", async () => {
  const bytes = (() => {
    const Model = messageType("ModelProto");
    const dims = [1];
    const tensorOf = (name: string, value: string) => ({ name, dims, dataType: 7, int64Data: [value] });
    const type = { tensorType: { elemType: 1, shape: { dim: [{ dimValue: 2 }, { dimValue: 3 }] } } };
    return Model.encode(
      Model.fromObject({
        irVersion: 8,
        opsetImport: [{ domain: "", version: 17 }],
        graph: {
          name: "slice",
          node: [{ opType: "Slice", name: "s", input: ["x", "to", "last", "training"], output: ["y"] }],
          initializer: [tensorOf("to", "1"), tensorOf("last", "9223372036854775807"), tensorOf("training", "1")],
          input: [{ name: "x", type }],
          output: [{ name: "y" }],
        },
      }),
    ).finish();
  })();
  const [expected] = await runReference(bytes, { x: x() });
  expectClose(withFile(bytes, (path) => importOnnx(path)).forward(x()), expected);
});

describe("weights in files beside the model", () => {
  const values = Float32Array.of(9, 9, 1, 2, 3);
  writeFileSync(join(folder, "weights.bin"), new Uint8Array(values.buffer));
  const external = (entries: Record<string, string>, dims = [3]) =>
    withWeight({
      dims,
      dataType: 1,
      dataLocation: 1,
      externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
    });

  test("are read at their offset", () => {
    const path = external({ location: "weights.bin", offset: "8", length: "12" });
    expect(importOnnx(path).forward(x()).tolist()).toEqual([
      [1, 3, 5],
      [4, 6, 8],
    ]);
    expect(
      importOnnx(external({ location: "./weights.bin" }, [5]))
        .stateDict()
        .get("weights.w")
        ?.tolist(),
    ).toEqual([9, 9, 1, 2, 3]);
  });

  test("that are missing, too short or out of the folder are errors", () => {
    expect(() => importOnnx(external({ location: "other.bin" }))).toThrow(
      /tensor "w": it lies in other.bin, which is not beside the model; fetch it too/,
    );
    expect(() => importOnnx(external({ location: "../weights.bin" }))).toThrow(/no file beside the model/);
    expect(() => importOnnx(external({ location: join(folder, "weights.bin") }))).toThrow(/no file beside the model/);
    expect(() => importOnnx(external({}))).toThrow(/no file beside the model/);
    expect(() => importOnnx(external({ location: "weights.bin", offset: "12" }))).toThrow(/outside the file/);
    expect(() => importOnnx(external({ location: "weights.bin", length: "8" }))).toThrow(
      /needs 12 bytes, but has 8 in weights.bin/,
    );
  });
});
