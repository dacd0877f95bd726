import { readFileSync } from "node:fs";
import { keepOnnxRuntimeQuiet } from "@omni-id/torch/environment";
import type * as ort from "onnxruntime-node";
import type { ModelEntry } from "./model-entries.ts";
import { modelFile } from "./models.ts";
import type { Network } from "./network.ts";
import { withoutPRelu } from "./prelu.ts";
import { withoutSubnormals } from "./subnormal.ts";

/** A network on ONNX Runtime for Node. */
export class Session implements Network {
  readonly #runtime: typeof ort;
  readonly #session: ort.InferenceSession;

  constructor(runtime: typeof ort, session: ort.InferenceSession) {
    this.#runtime = runtime;
    this.#session = session;
  }

  get inputNames(): readonly string[] {
    return this.#session.inputNames;
  }

  async run(input: Float32Array, shape: readonly number[]): Promise<Float32Array[]> {
    const { inputNames, outputNames } = this.#session;
    const results = await this.#session.run({ [inputNames[0]]: new this.#runtime.Tensor("float32", input, shape) });
    return outputNames.map((name) => results[name].data as Float32Array);
  }
}

/** ONNX Runtime, loaded when the first model is opened, and not before its telemetry is off. Nothing else may load it. */
async function onnxRuntime(): Promise<typeof ort> {
  keepOnnxRuntimeQuiet();
  return import("onnxruntime-node");
}

/** Opens a model of the registry on ONNX Runtime. */
export function openSession(model: ModelEntry, options: { threads?: number } = {}): Promise<Session> {
  return openModel(withoutPRelu(withoutSubnormals(readFileSync(modelFile(model)))), options);
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
  const runtime = await onnxRuntime();
  const { InferenceSession } = runtime;
  // A union of both is none of its overloads.
  const session = await (typeof model === "string"
    ? InferenceSession.create(model, options)
    : InferenceSession.create(model, options));
  return new Session(runtime, session);
}
