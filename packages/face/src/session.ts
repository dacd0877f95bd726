import { readFileSync } from "node:fs";
import { keepOnnxRuntimeQuiet } from "@omni-id/torch/environment";
import type * as ort from "onnxruntime-node";
import { type ModelEntry, modelFile } from "./models.ts";
import type { RgbImage } from "./picture-types.ts";
import { withoutSubnormals } from "./subnormal.ts";

export type Session = ort.InferenceSession;

/** ONNX Runtime, loaded when the first model is opened, and not before its telemetry is off. Nothing else may load it. */
async function onnxRuntime(): Promise<typeof ort> {
  keepOnnxRuntimeQuiet();
  return import("onnxruntime-node");
}

/** Opens a model of the registry on ONNX Runtime. */
export function openSession(model: ModelEntry, options: { threads?: number } = {}): Promise<Session> {
  return openModel(withoutSubnormals(readFileSync(modelFile(model))), options);
}

/** Opens any ONNX file. */
export function openFile(file: string, options: { threads?: number } = {}): Promise<Session> {
  return openModel(file, options);
}

async function openModel(model: string | Uint8Array, { threads = 2 }: { threads?: number } = {}): Promise<Session> {
  const options: ort.InferenceSession.SessionOptions = {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    // Waiting threads must sleep: other work runs on the same few cores.
    extra: { session: { intra_op: { allow_spinning: "0" } } },
  };
  const { InferenceSession } = await onnxRuntime();
  // A union of both is none of its overloads.
  return typeof model === "string" ? InferenceSession.create(model, options) : InferenceSession.create(model, options);
}

/** Runs a session of one input; outputs as float32 arrays in the model's order. */
export async function runSession(
  session: Session,
  data: Float32Array,
  shape: readonly number[],
): Promise<Float32Array[]> {
  const { Tensor } = await onnxRuntime();
  const feeds = { [session.inputNames[0]]: new Tensor("float32", data, shape) };
  const results = await session.run(feeds);
  return session.outputNames.map((name) => results[name].data as Float32Array);
}

/** Planes instead of interleaved colours, `(x − mean) / deviation` a channel: what networks take. */
export function toPlanes(
  { width, height, data }: RgbImage,
  mean: readonly [number, number, number],
  deviation: readonly [number, number, number],
): Float32Array {
  const size = width * height;
  const planes = new Float32Array(3 * size);
  for (let c = 0; c < 3; c++) {
    for (let i = 0; i < size; i++) planes[c * size + i] = (data[3 * i + c] - mean[c]) / deviation[c];
  }
  return planes;
}
