import { basename } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { type Affine, loadImage, type RgbImage, warp } from "@omni-id/face";
import type { Tensor } from "@omni-id/torch";
import { InvalidArgumentError } from "commander";
import { STEPS } from "../generate/draw-settings.ts";
import { FaceGenerator } from "../generate/face-generator.ts";
import { saveGrid } from "../generate/grid.ts";
import { loadIdentity } from "../identity.ts";
import { EXPRESSIONS, type ExpressionName, isExpression } from "../pictures/expressions.ts";
import { photoFiles } from "../pictures/photo-files.ts";
import { toRgb } from "../pictures/picture.ts";
import { SOLVER_NAMES, type SolverName } from "../sampling-steps.ts";
import { useDevice } from "./device.ts";
import { drawWithKlein } from "./generate-klein.ts";
import { checkScene, drawScenes } from "./generate-scene.ts";
import { count, deviceOption, jsonOption, weightsOption, whole } from "./options.ts";
import { outFile } from "./out-file.ts";
import { note, print, UsageError } from "./output.ts";
import { stepBar } from "./step-bar.ts";

export function generateCommand() {
  return new Command("generate")
    .option("--id <file...>", "identity file; two or more are mixed")
    .option("--mix <share>", "share of the second identity of two, 0 … 1", share, 0.5)
    .option("--pose <yaw,pitch,roll>", "degrees: to the image's right, up, clockwise", pose)
    .option("--expression <name>", `of the face, without a photo: ${EXPRESSIONS.join(", ")}`, expression)
    .option("--landmarks <photo>", "take pose and expression from the face of a photo")
    .option("--prompt <words>", "what else the picture shows, such as: red hair, smiling, studio light")
    .option("-n, --number <pictures>", "how many", count, 4)
    .option("-o, --out <file>", "picture to write: PNG, JPEG, WebP, TIFF or AVIF by its ending", "out/generated.png")
    .option("--seed <number>", "the same seed gives the same pictures", whole, 0)
    .option(
      "--guidance <scale>",
      "how far away from nobody; 1 is none (default: the preset's, nano 3, and 1.5 where the photos are of another kind than the weights were trained on; klein: 4)",
      positiveNumber,
    )
    .option("--steps <number>", "steps of the solver (default: 20; klein: 50, klein-distilled: 4)", count)
    .option("--solver <name>", `one of: ${SOLVER_NAMES.join(", ")} (default: dpm; klein: euler)`, solver)
    .addOption(
      new Option(
        "--base <name>",
        "FLUX.2 [klein] alone, or which of its two under weights that were trained on it; files: omni-id models",
      ).choices(["klein", "klein-distilled"] as const),
    )
    .option("--references <photo...>", "photos of whom to draw, klein's own way, without an identity (1 to 10)")
    .option("--size <pixels>", "side of the pictures that klein draws alone (default: 1024)", count)
    .option("--scene", "the person in a scene that --prompt tells of, instead of an aligned face")
    .option(
      "--text-guidance <scale>",
      "of scenes: how closely the words are followed (default: the preset's, nano-scenes 3)",
      positiveNumber,
    )
    .option("--negative <words>", "of scenes: what the words lead away from (default: the preset's fixed prompt)")
    .option(
      "--identity-start <share>",
      "of scenes: the share of the steps after which the identity is told (default: 0)",
      share,
    )
    .option("--identity-end <share>", "of scenes: the share of the steps up to which it is told (default: 1)", share)
    .option(
      "--embedded-guidance <scale>",
      "of scenes with FLUX.1-dev: the guidance that the model itself is told (default: 3.5)",
      positiveNumber,
    )
    .option("--float32", "full precision: slower where the processor has 16 bits, and what a browser draws")
    .option("--preview", "write the file after every step, as far as the pictures are")
    .addOption(weightsOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Examples:
  omni-id generate --id alice.safetensors --pose 20,0,0 -n 8 -o alice.png
  omni-id generate --id alice.safetensors --landmarks photo.jpg -o alice-as-in-photo.png
  omni-id generate --id alice.safetensors --id bob.safetensors --mix 0.3 -o mixed.png
  omni-id generate --scene --id alice.safetensors --prompt "a person in a red jumper smiling in front of a brick wall, glasses"
  omni-id generate --base klein --references photos/*.jpg --prompt "portrait of this person in a garden"
Without --id the bare flow model draws anybody.`,
    )
    .action(async (options) => {
      const { number, seed } = options;
      checkScene(options);
      checkBase(options);
      if (options.pose && options.landmarks)
        throw new UsageError("--pose and --landmarks both give the pose: choose one");
      if (options.expression && options.landmarks)
        throw new UsageError("--expression and --landmarks both give the expression: choose one");
      const inputs = [
        ...(options.id ?? []),
        ...photoFiles(options.references ?? []).files,
        ...(options.landmarks ? [options.landmarks] : []),
      ];
      const out = outFile(options.out, { kind: "picture", inputs });
      useDevice(options.device);
      if (options.scene) return drawScenes(out, options);
      if (options.base && !options.id) return drawWithKlein(out, { ...options, base: options.base });
      const model = options.base === "klein-distilled" ? "distilled" : "base";
      const generator = await FaceGenerator.load(options.weights, undefined, model);
      const identity = options.id && readIdentities(generator, options.id, options.mix);
      const { guidance, steps, solver } = howToDraw(generator, options, identity);
      const landmarks = await landmarksOf(generator, options);
      const unknown = options.prompt ? generator.unknownWords(options.prompt) : [];
      if (unknown.length > 0) note(`note: the model does not know: ${unknown.join(", ")}`);

      const roll = options.pose?.roll ?? 0;
      const save = (pictures: Tensor) =>
        saveGrid(
          out,
          pictures.unbind(0).map((one) => turned(toRgb(one), roll)),
        );
      const bar = stepBar(steps);
      const previews: Promise<void>[] = [];
      const made = generator.generate({
        identity,
        landmarks,
        prompt: options.prompt,
        count: number,
        seed,
        steps,
        guidance,
        solver,
        precision: precisionOf(options.float32),
        onStep: (step, _, pictures) => {
          bar?.update(step);
          if (options.preview && step < steps) previews.push(save(pictures()));
        },
      });
      bar?.stop();
      await Promise.all(previews);
      await save(made);
      const ids = options.id?.map((file) => basename(file)).join(" + ") ?? "nobody in particular";
      print(
        { file: options.out, count: number, seed, steps, guidance, solver, unknownWords: unknown },
        { json: options.json, file: out, text: `${out}: ${number} pictures of ${ids}` },
      );
    });
}

/** @throws UsageError when options do not go together */
function checkBase({ base, references, id, pose, expression, landmarks, weights, size }: BaseOptions): void {
  if (references && !base) {
    throw new UsageError("--references: only FLUX.2 takes photos as they are; add --base klein");
  }
  if (references && id) throw new UsageError("--references and --id both say whom to draw: choose one");
  if (size !== undefined && (!base || id)) throw new UsageError("--size is of klein alone: the weights have their own");
  if (!base || id) return;
  if (pose || expression || landmarks) {
    throw new UsageError(
      "--pose, --expression and --landmarks need a ControlNet of ours, and klein alone has none: leave them out",
    );
  }
  if (weights) throw new UsageError("--weights: klein alone needs none; name an identity (--id), or leave it out");
}

interface BaseOptions {
  base?: string;
  references?: readonly string[];
  id?: readonly string[];
  pose?: unknown;
  expression?: string;
  landmarks?: string;
  weights?: string;
  size?: number;
}

/** What was asked for, else what suits the model and the identity. */
function howToDraw(
  generator: FaceGenerator,
  asked: { guidance?: number; steps?: number; solver?: SolverName },
  identity: Tensor | undefined,
) {
  const { drawing } = generator.base.base;
  return {
    guidance: asked.guidance ?? (identity ? generator.guidanceFor(identity) : generator.guidance),
    steps: asked.steps ?? drawing.steps ?? STEPS,
    solver: asked.solver ?? drawing.solver ?? "dpm",
  };
}

const precisionOf = (full: boolean | undefined) => (full ? "float32" : undefined);

function readIdentities(generator: FaceGenerator, files: readonly string[], mix: number): Tensor {
  const weights = files.length === 2 ? [1 - mix, mix] : files.map(() => 1);
  return generator.mix(files.map((name, i) => ({ name, identity: loadIdentity(name), weight: weights[i] })));
}

async function landmarksOf(
  generator: FaceGenerator,
  options: { pose?: ReturnType<typeof pose>; expression?: ExpressionName; landmarks?: string },
): Promise<ArrayLike<number> | undefined> {
  const { pose: { yaw, pitch } = { yaw: 0, pitch: 0 }, expression } = options;
  if (options.pose || expression) return generator.poseLandmarks({ yaw, pitch, expression });
  if (options.landmarks) return generator.photoLandmarks(await loadImage(options.landmarks), options.landmarks);
  return undefined;
}

/** The picture turned about its centre, clockwise; the edge is repeated outside. */
function turned(image: RgbImage, degrees: number): RgbImage {
  if (degrees === 0) return image;
  const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  const [x, y] = [image.width / 2, image.height / 2];
  const matrix: Affine = [c, -s, x - c * x + s * y, s, c, y - s * x - c * y];
  return warp(image, matrix, image.width, image.height);
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) throw new InvalidArgumentError(`"${text}" is no number above 0.`);
  return value;
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 1)) throw new InvalidArgumentError(`"${text}" is not in 0 … 1.`);
  return value;
}

function pose(text: string): { yaw: number; pitch: number; roll: number } {
  const [yaw, pitch = 0, roll = 0, ...more] = text
    .split(",")
    .map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  const wrong = [yaw, pitch, roll].some((value) => !Number.isFinite(value) || Math.abs(value) > 180) || more.length > 0;
  if (wrong) throw new InvalidArgumentError(`"${text}" is no yaw,pitch,roll in degrees, such as 20,0,0.`);
  if (Math.abs(yaw) > 75 || Math.abs(pitch) > 45) {
    throw new InvalidArgumentError("yaw beyond ±75 or pitch beyond ±45 degrees: no face is left to draw.");
  }
  return { yaw, pitch, roll };
}

function expression(text: string): ExpressionName {
  if (isExpression(text)) return text;
  throw new InvalidArgumentError(`choose one of: ${EXPRESSIONS.join(", ")}.`);
}

function solver(text: string): SolverName {
  const name = SOLVER_NAMES.find((one) => one === text);
  if (name) return name;
  throw new InvalidArgumentError(`choose one of: ${SOLVER_NAMES.join(", ")}.`);
}
