import { defaultDevice, type Tensor } from "@omni-id/torch";
import { loadKleinBase } from "../checkpoints/klein-base.ts";
import { saveGrid } from "../generate/grid.ts";
import { drawFromReferences, loadReferences } from "../generate/references.ts";
import { photoFiles, tellLeftOut } from "../pictures/photo-files.ts";
import { toRgb } from "../pictures/picture.ts";
import { presets } from "../presets/index.ts";
import type { SolverName } from "../sampling-steps.ts";
import { note, print, UsageError } from "./output.ts";
import { stepBar } from "./step-bar.ts";

export interface KleinOptions {
  base: "klein" | "klein-distilled";
  references?: readonly string[];
  size?: number;
  number: number;
  seed: number;
  prompt?: string;
  guidance?: number;
  steps?: number;
  solver?: SolverName;
  preview?: boolean;
  json?: boolean;
}

const SIZE = 1024;
/** Sides of a picture are multiples of a token's. */
const TOKEN = 16;

/** `omni-id generate --base klein` without an identity: from words, and from photos by klein's own way. */
export async function drawWithKlein(out: string, options: KleinOptions): Promise<void> {
  const { base: name, number: count, seed, size = SIZE, json } = options;
  const distilled = name === "klein-distilled";
  if (size % TOKEN !== 0) throw new UsageError(`--size ${size}: klein's pictures have sides of a multiple of ${TOKEN}`);
  if (distilled && options.guidance !== undefined && options.guidance !== 1) {
    throw new UsageError("--guidance: klein-distilled was distilled without; leave it out, or take --base klein");
  }
  const { files, leftOut } = photoFiles(options.references ?? []);
  for (const line of tellLeftOut(leftOut)) note(line);
  const references = await loadReferences(files);
  const preset = { ...presets.klein, flow: { ...presets.klein.flow, imageSize: size } };
  const base = loadKleinBase(preset, { model: distilled ? "distilled" : "base", device: defaultDevice() });
  const { drawing } = base;
  const steps = options.steps ?? drawing.steps ?? 0;
  const save = (pictures: Tensor) => saveGrid(out, pictures.unbind(0).map(toRgb));
  const bar = stepBar(steps);
  const previews: Promise<void>[] = [];
  const made = await drawFromReferences(base, {
    references,
    count,
    seed,
    steps,
    prompt: options.prompt ?? preset.flow.prompt,
    guidance: options.guidance,
    solver: options.solver,
    onStep: (step, _, pictures) => {
      bar?.update(step);
      if (options.preview && step < steps) previews.push(save(pictures()));
    },
  });
  bar?.stop();
  await Promise.all(previews);
  await save(made);
  const photos = references.map((reference) => reference.name);
  const from = photos.length > 0 ? `from ${photos.length} photos` : "of nobody in particular";
  print(
    { file: out, base: name, count, seed, steps, size, references: photos },
    { json, file: out, text: `${out}: ${count} pictures ${from}` },
  );
}
