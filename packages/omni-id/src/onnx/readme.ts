import type { OnnxExport, SignatureValue } from "@omni-id/torch";
import type { ExportedFlow, ExportedStageOne } from "./load.ts";

interface Told extends ExportedStageOne {
  flow?: ExportedFlow;
  dtype: "float16" | "float32";
  models: readonly { file: string; graph: OnnxExport }[];
}

/** What each model is for. */
const PURPOSE: Readonly<Record<string, string>> = {
  "omni-id-encoder.onnx": "Any number of photos of one person to one identity.",
  "masked-decoder.onnx": "A face of which most is hidden, drawn from an identity (section 3.3, decoder 1).",
  "prompts.onnx": "The words of a prompt to what the flow model is told.",
  "ip-adapter.onnx": "An identity to what the flow model is told of it.",
  "controlnet.onnx": "A picture of landmarks to what steers the flow model.",
  "flux.onnx": "One step of the flow model (decoder 2).",
  "latents.onnx": "Tokens of the flow model to pictures.",
};

/** The README of an ONNX export: inputs, outputs, and what comes before and after. */
export function onnxReadme({ models, encoder, decoder, flow, dtype }: Told): string {
  const parts = [
    "# Omni-ID as ONNX",
    `Encoder ${encoder.name} (SHA-256 ${encoder.hash}). Weights are stored in ${dtype}, graphs compute in float32, operator set 17. Sizes in letters are free. Pictures are RGB planes in [−1, 1] (byte / 127.5 − 1), coordinates are pixels from the upper left corner, where the first pixel's centre lies at 0.5.`,
    ...models.map(({ file, graph }) => modelPart(file, graph)),
    encoding(encoder),
    reconstructing(encoder, decoder.patchSize),
    ...(flow ? [drawing(flow)] : []),
  ];
  return `${parts.join("\n\n")}\n`;
}

function modelPart(file: string, graph: OnnxExport): string {
  const { inputs, outputs } = graph.signature;
  const row = (kind: string, { name, dtype, shape }: SignatureValue) =>
    `| ${kind} | \`${name}\` | ${dtype} | [${shape.join(", ")}] |`;
  return [
    `## ${file}\n\n${PURPOSE[file]}\n\n|  | name | type | shape |\n| --- | --- | --- | --- |`,
    ...inputs.map((one) => row("input", one)),
    ...outputs.map((one) => row("output", one)),
  ].join("\n");
}

function encoding({ bundle, preset }: ExportedStageOne["encoder"]): string {
  const { inputSize, crop } = bundle.encoder.backbone;
  const cut =
    crop === "arcface"
      ? `a similarity (least squares, no reflection) that moves five points, the middles of the eyes, the tip of the nose and the corners of the mouth, onto ArcFace's template for ${inputSize} × ${inputSize} pixels: (38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041), each plus 0.5`
      : `FFHQ's eye/mouth-aligned square (\`alignedCrop\` of @omni-id/face), ${inputSize} × ${inputSize} pixels`;
  const carried = preset.encoder.carriedTokens;
  return [
    "## From photos to an identity",
    `Each photo is one crop of \`photos\`: ${cut}. Where the crop is smaller than the photo, pixels are means, not single samples. \`identity\` is ℓ, as \`omni-id encode\` writes it.`,
    carried > 0
      ? `Two identities are alike by the cosine of their first ${carried} tokens, laid end to end.`
      : "Two identities are alike by the cosine of all their numbers, less the mean and over the deviation of training people (`identity_mean` and `identity_deviation` in the encoder's safetensors file).",
  ].join("\n\n");
}

function reconstructing({ preset }: ExportedStageOne["encoder"], patch: number): string {
  const { imageSize, maskRatio } = preset.mtd;
  return [
    "## A face drawn anew",
    `\`truth\` is a face in \`alignedCrop\` of @omni-id/face, ${imageSize} × ${imageSize} pixels. Its ${patch} × ${patch} patches are numbered row by row; \`index\` names those to decode, and \`visible\` is 1 for those that the decoder is shown. It was trained with ${Math.round(100 * maskRatio)} % of them hidden.`,
  ].join("\n\n");
}

function drawing({ base: { base, preset } }: ExportedFlow): string {
  const { prompt, guidance } = preset.flow;
  const { imageSize } = preset.flow;
  const [tokens] = base.tokenShape;
  return [
    "## New pictures",
    `Numbers of words: 0 is an empty place, 1 a word that is not known, and those of \`words\` in settings.json follow from 2 on; articles and the like are left out. The usual prompt is “${prompt}”.`,
    `Landmarks are the 68 points of iBUG on a face in \`alignedCrop\`, ${imageSize} × ${imageSize} pixels, drawn as \`drawLandmarks\` of omni-id does it (src/pictures/landmark-picture.ts). \`meanFace\` in settings.json is the training people's face in space.`,
    `Start from noise \`x\` and go from t = 1 to 0. With n steps and τ = 1 − i / n the times are t = e / (e + 1/τ − 1), e = exp(0.5 + (${tokens} − 256) · 0.65 / 3840), and 0 at the end. Euler's step is x += (t′ − t) · velocity; \`omni-id generate\` takes DPM-Solver++(2M).`,
    `Without an identity \`scale\` is 0, \`tokens\` and \`modulation\` are zeros and \`extra\` is empty, [B, 0, …]; with one \`scale\` is 1 and the rest comes from ip-adapter.onnx. Without landmarks the residuals are zeros; with them controlnet.onnx is asked at every step. Guidance: v = v(nobody) + g · (v(identity) − v(nobody)), usually g = ${guidance.classifierFree}.`,
    "latents.onnx makes pictures of the last x.",
  ].join("\n\n");
}
