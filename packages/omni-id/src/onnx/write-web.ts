import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { detectorModel, landmarkModel, modelFile, poseModel, recogniserModel, withoutSubnormals } from "@omni-id/face";
import { rewriteOnnx, writeAtomically } from "@omni-id/torch";
import { LAST, MIDDLE } from "../backbones/recogniser.ts";
import { WordEncoder } from "../backbones/words.ts";
import { STEPS } from "../generate/draw-settings.ts";
import { sortBytes } from "../web/byte-planes.ts";
import { MODEL_NAMES, type ModelFile, type ModelName, WEB_FORMAT, type WebManifest } from "../web/manifest.ts";
import {
  adapterGraph,
  controlGraph,
  decoderGraph,
  fluxGraph,
  latentsGraph,
  mapsGraph,
  promptsGraph,
} from "./graphs.ts";
import { type ExportedWeights, loadForExport } from "./load.ts";

export interface WebExport {
  folder: string;
  manifest: WebManifest;
  /** Bytes of all files, the manifest included. */
  bytes: number;
}

/** Bytes of a number in float16 and float32. */
const [HALF, FULL] = [2, 4];

/**
 * Writes what a browser needs to encode and draw into a folder: `manifest.json` and a file a model, named by its hash, so
 * that it may be cached for good. Our own weights are stored as they are, in 16 bits where that
 * loses nothing, as it does of what is shipped; of the face networks only
 * that for the head's pose is, which no picture depends on: what a browser draws is what the command line draws.
 * Files of an earlier export are removed once the new manifest is there.
 * @param weights folder of trained weights; the shipped ones when absent
 * @throws when the weights are not whole, or not of the nano preset
 */
export async function writeWebModels(folder: string, { weights }: { weights?: string } = {}): Promise<WebExport> {
  const loaded = await loadForExport(weights);
  mkdirSync(folder, { recursive: true });
  const files: [ModelName, ModelFile][] = [];
  for (const name of MODEL_NAMES) files.push([name, writeModel(folder, name, modelOf(name, loaded))]);
  const manifest: WebManifest = { ...describe(loaded), files: Object.fromEntries(files) as WebManifest["files"] };
  const text = `${JSON.stringify(manifest)}\n`;
  writeAtomically(join(folder, "manifest.json"), text);
  removeOthers(folder, new Set(files.map(([, { file }]) => file)));
  return { folder, manifest, bytes: files.reduce((sum, [, { bytes }]) => sum + bytes, Buffer.byteLength(text)) };
}

interface Model {
  onnx: Uint8Array;
  planes: number;
}

function modelOf(name: ModelName, { encoder, decoder, base, adapter, control }: ExportedWeights): Model {
  const half = (graph: ReturnType<typeof fluxGraph>) => ({ onnx: graph.bytes({ weights: "lossless" }), planes: HALF });
  const { preset } = base;
  switch (name) {
    case "detector":
      return { onnx: faceNetwork(detectorModel), planes: FULL };
    case "landmarks":
      return { onnx: faceNetwork(landmarkModel), planes: FULL };
    case "pose":
      return { onnx: rewriteOnnx(faceNetwork(poseModel), { weights: "float16" }), planes: HALF };
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

function describe({ encoder, base, adapter, control }: ExportedWeights): Omit<WebManifest, "files"> {
  const { name, hash, bundle, preset } = encoder;
  const { backbone, carriedTokens, identityShape, cross_blocks } = bundle.encoder;
  const { drawing, prompts, tokenShape } = base.base;
  const carried = carriedTokens * identityShape[1];
  const numbers = (tensor: typeof bundle.identity_mean) => Array.from(tensor.flatten().toTypedArray() as Float32Array);
  return {
    format: WEB_FORMAT,
    encoder: { name, hash },
    imageSize: base.preset.flow.imageSize,
    identity: identityShape,
    blocks: cross_blocks.length,
    backbone: { tokens: backbone.tokens, grid: backbone.grid, inputSize: backbone.inputSize },
    carried,
    ...(carried === 0 && {
      statistics: { mean: numbers(bundle.identity_mean), deviation: numbers(bundle.identity_deviation) },
    }),
    drawing: {
      guidance: drawing.guidance ?? preset.flow.guidance.classifierFree,
      steps: drawing.steps ?? STEPS,
      solver: drawing.solver ?? "dpm",
      prompt: base.preset.flow.prompt,
      tokens: tokenShape,
      width: base.preset.flow.flux.width,
      residuals: control.controlnet_blocks.length,
      modulation: adapter.modulation !== undefined,
      extra: adapter.joined !== undefined,
    },
    words: prompts instanceof WordEncoder ? prompts.vocabulary : [],
    mostWords: prompts instanceof WordEncoder ? prompts.length : 0,
    meanFace: numbers(control.mean_face),
    hidden: {
      imageSize: preset.mtd.imageSize,
      patchSize: preset.mtd.decoder.patchSize,
      maskRatio: preset.mtd.maskRatio,
      tokens: preset.mtd.tokens,
    },
  };
}
