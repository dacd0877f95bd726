import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type OnnxExport, writeAtomically } from "@omni-id/torch";
import { describeWeights } from "./describe.ts";
import {
  adapterGraph,
  controlGraph,
  decoderGraph,
  encoderGraph,
  fluxGraph,
  latentsGraph,
  promptsGraph,
} from "./graphs.ts";
import { type ExportedFlow, type ExportedStageOne, loadForExport } from "./load.ts";
import { onnxReadme } from "./readme.ts";

export interface OnnxFiles {
  folder: string;
  files: { file: string; bytes: number }[];
}

/**
 * Writes the models as ONNX files for anybody's use, with `README.md` (inputs, outputs, what comes before and after) and,
 * where there is a flow model, `settings.json` (words, mean face, how it is drawn with).
 * @param weights folder of trained weights; the shipped ones when absent
 * @param dtype in how many bits weights are stored; graphs compute in float32
 */
export async function writeOnnxModels(
  folder: string,
  { weights, dtype }: { weights?: string; dtype: "float16" | "float32" },
): Promise<OnnxFiles> {
  const { flow, ...one } = await loadForExport(weights);
  mkdirSync(folder, { recursive: true });
  const models: { file: string; graph: OnnxExport }[] = [];
  const write = (file: string, graph: OnnxExport) => {
    graph.save(join(folder, file), { weights: dtype });
    models.push({ file, graph });
  };
  writeStageOne(write, one);
  const names: string[] = [];
  if (flow) {
    writeFlow(write, flow);
    const { format: _, ...settings } = describeWeights({ ...one, ...flow });
    writeAtomically(join(folder, "settings.json"), `${JSON.stringify(settings, null, 1)}\n`);
    names.push("settings.json");
  }
  writeAtomically(join(folder, "README.md"), onnxReadme({ models, ...one, flow, dtype }));
  names.push("README.md");
  const files = [...models.map(({ file }) => file), ...names];
  return { folder, files: files.map((file) => ({ file, bytes: readFileSync(join(folder, file)).length })) };
}

type Write = (file: string, graph: OnnxExport) => void;

function writeStageOne(write: Write, { encoder, decoder }: ExportedStageOne): void {
  write("omni-id-encoder.onnx", encoderGraph(encoder.bundle.encoder));
  write("masked-decoder.onnx", decoderGraph(decoder, encoder.preset));
}

function writeFlow(write: Write, { base: { base, preset }, adapter, control }: ExportedFlow): void {
  write("prompts.onnx", promptsGraph(base));
  write("ip-adapter.onnx", adapterGraph(adapter));
  write("controlnet.onnx", controlGraph(base, control, preset));
  write("flux.onnx", fluxGraph(base, adapter, preset));
  write("latents.onnx", latentsGraph(base));
}
