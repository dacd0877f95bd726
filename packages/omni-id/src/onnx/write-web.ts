import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { detectorModel, landmarkModel, modelFile, poseModel, recogniserModel, withoutSubnormals } from "@omni-id/face";
import { rewriteOnnx, writeAtomically } from "@omni-id/torch";
import { LAST, MIDDLE } from "../backbones/recogniser.ts";
import { sortBytes } from "../web/byte-planes.ts";
import { MODEL_NAMES, type ModelFile, type ModelName, type WebManifest } from "../web/manifest.ts";
import { describeWeights } from "./describe.ts";
import {
  adapterGraph,
  controlGraph,
  decoderGraph,
  fluxGraph,
  latentsGraph,
  mapsGraph,
  promptsGraph,
} from "./graphs.ts";
import { type ExportedFlow, type ExportedStageOne, loadForExport } from "./load.ts";

export interface WebExport {
  folder: string;
  manifest: WebManifest;
  /** Bytes of all files, the manifest included. */
  bytes: number;
}

/** Bytes of a number. */
const [BYTE, HALF, FULL] = [1, 2, 4];

/**
 * Writes what a browser needs to encode and draw into a folder: `manifest.json` and a file a model, named by its hash, so
 * that it may be cached for good. Our own weights are stored as they are, in 16 bits where that loses nothing, as it does of
 * what is shipped; of the face networks only the one for the head's pose is narrowed, to 8 bits, for no picture depends on
 * it: what a browser draws is what the command line draws.
 * Files of an earlier export are removed once the new manifest is there.
 * @param weights folder of trained weights; the shipped ones when absent
 * @throws when the weights are not whole, or not of the nano preset
 */
export async function writeWebModels(folder: string, { weights }: { weights?: string } = {}): Promise<WebExport> {
  const { flow, ...one } = await loadForExport(weights);
  if (!flow) {
    throw new Error(
      `${weights}: a browser draws with the flow model of the nano preset, and its files are not all there; train them (omni-id train all), or leave --weights out`,
    );
  }
  const loaded = { ...one, ...flow };
  mkdirSync(folder, { recursive: true });
  const files: [ModelName, ModelFile][] = [];
  for (const name of MODEL_NAMES) files.push([name, writeModel(folder, name, modelOf(name, loaded))]);
  const manifest: WebManifest = {
    ...describeWeights(loaded),
    files: Object.fromEntries(files) as WebManifest["files"],
  };
  const text = `${JSON.stringify(manifest)}\n`;
  writeAtomically(join(folder, "manifest.json"), text);
  removeOthers(folder, new Set(files.map(([, { file }]) => file)));
  return { folder, manifest, bytes: files.reduce((sum, [, { bytes }]) => sum + bytes, Buffer.byteLength(text)) };
}

interface Model {
  onnx: Uint8Array;
  planes: number;
}

function modelOf(
  name: ModelName,
  { encoder, decoder, base, adapter, control }: ExportedStageOne & ExportedFlow,
): Model {
  const half = (graph: ReturnType<typeof fluxGraph>) => ({ onnx: graph.bytes({ weights: "lossless" }), planes: HALF });
  const { preset } = base;
  switch (name) {
    case "detector":
      return { onnx: faceNetwork(detectorModel), planes: FULL };
    case "landmarks":
      return { onnx: faceNetwork(landmarkModel), planes: FULL };
    case "pose":
      return { onnx: rewriteOnnx(faceNetwork(poseModel), { weights: "int8" }), planes: BYTE };
    case "recogniser": {
      const outputs = { [MIDDLE]: "middle", [LAST]: "last" };
      return { onnx: rewriteOnnx(faceNetwork(recogniserModel), { first: "feature", outputs }), planes: FULL };
    }
    case "encoder":
      return half(mapsGraph(encoder.bundle.encoder));
    case "prompts":
      return half(promptsGraph(base.base));
    case "adapter":
      return half(adapterGraph(adapter));
    case "control":
      return half(controlGraph(base.base, control, preset));
    case "flux":
      return half(fluxGraph(base.base, adapter, preset));
    case "latents":
      return half(latentsGraph(base.base));
    case "decoder":
      return half(decoderGraph(decoder, encoder.preset));
  }
}

const faceNetwork = (model: Parameters<typeof modelFile>[0]) => withoutSubnormals(readFileSync(modelFile(model)));

function writeModel(folder: string, name: ModelName, { onnx, planes }: Model): ModelFile {
  const stored = gzipSync(sortBytes(onnx, planes), { level: 9 });
  const sha256 = createHash("sha256").update(stored).digest("hex");
  const file = `${name}-${sha256.slice(0, 12)}.bin`;
  writeAtomically(join(folder, file), stored);
  return { file, bytes: stored.length, sha256, planes };
}

function removeOthers(folder: string, kept: ReadonlySet<string>): void {
  for (const file of readdirSync(folder)) {
    const ours = MODEL_NAMES.some((name) => new RegExp(`^${name}-[0-9a-f]{12}\\.bin$`).test(file));
    if (ours && !kept.has(file)) rmSync(join(folder, file));
  }
}
