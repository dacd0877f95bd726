import { type ExportOptions, exportOnnx, importOnnx, type nn, noGrad, type OnnxExport, Tensor } from "@omni-id/torch";
import { expect } from "vitest";
import { expectClose } from "../../torch/test/close.ts";
import { runReference, runSession, withFile } from "../../torch/test/onnx-graph.ts";

const web = await import("onnxruntime-web");
web.env.wasm.numThreads = 1;

export type Inputs = Record<string, Tensor>;
export type Outputs = Tensor | Readonly<Record<string, Tensor>>;

/** 1e-5 of an element, and of the largest one: float32 sums of large terms cancel no better. */
const tolerance = (wanted: Tensor) => ({ rtol: 1e-5, atol: 1e-5 * Math.max(1, wanted.abs().max().item()) });

/**
 * A graph gives what the model gives: in onnxruntime-node as it is written, in onnxruntime-web as a page runs it, and read
 * back by ourselves.
 */
export async function checkGraph(graph: OnnxExport, fn: (inputs: Inputs) => Outputs, many: readonly Inputs[]) {
  const bytes = graph.bytes();
  const session = await web.InferenceSession.create(bytes, { logSeverityLevel: 3 });
  const back = withFile(bytes, (path) => importOnnx(path));
  for (const inputs of many) {
    const made = noGrad(() => fn(inputs));
    const wanted: Record<string, Tensor> = made instanceof Tensor ? { output: made } : made;
    const read = noGrad(() => back.run(inputs, [...graph.outputs]));
    const runs = [await runReference(bytes, inputs), await runSession(session as never, inputs, { keep: true })];
    for (const [i, name] of graph.outputs.entries()) {
      for (const run of runs) {
        expect(run[i].shape).toEqual(wanted[name].shape);
        expectClose(run[i], wanted[name], tolerance(wanted[name]));
      }
      expectClose(read[name], wanted[name], tolerance(wanted[name]));
    }
  }
  await session.release();
}

/** The graph of two examples, checked at the first and at a third size. */
export async function checkExport(
  module: nn.Module,
  fn: (inputs: Inputs) => Tensor,
  [first, second, third]: readonly [Inputs, Inputs, Inputs],
  options: ExportOptions = {},
) {
  await checkGraph(exportOnnx(fn, first, { module, second, ...options }), fn, [first, third]);
}
