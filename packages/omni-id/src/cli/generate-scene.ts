import { basename } from "node:path";
import type { Pose } from "@omni-id/face";
import { STEPS } from "../generate/draw-settings.ts";
import { saveGrid } from "../generate/grid.ts";
import { SceneGenerator } from "../generate/scene-generator.ts";
import { loadIdentity } from "../identity.ts";
import { checkEncoder } from "../identity-values.ts";
import { toRgb } from "../pictures/picture.ts";
import type { SolverName } from "../sampling-steps.ts";
import { contradictions } from "../text/contradictions.ts";
import { wordsOf } from "../text/prompt-words.ts";
import { note, print, UsageError } from "./output.ts";
import { stepBar } from "./step-bar.ts";

export interface SceneChosen {
  id?: readonly string[];
  prompt?: string;
  pose?: Pose;
  negative?: string;
  number: number;
  seed: number;
  guidance?: number;
  textGuidance?: number;
  embeddedGuidance?: number;
  identityStart?: number;
  identityEnd?: number;
  steps?: number;
  solver?: SolverName;
  float32?: boolean;
  weights?: string;
  json?: boolean;
}

/** Options of aligned faces and of klein alone, which mean nothing for a scene. */
const OTHERS = ["expression", "landmarks", "base", "references", "size", "preview"] as const;

/** @throws UsageError when options do not go together with --scene, or when some are of scenes and it is missing */
export function checkScene(given: Readonly<Record<string, unknown>>): void {
  if (!given.scene) {
    const own = (["negative", "textGuidance", "embeddedGuidance", "identityStart", "identityEnd"] as const).find(
      (name) => given[name] !== undefined,
    );
    if (own) throw new UsageError(`--${dashed(own)} is of scenes: add --scene`);
    return;
  }
  const other = OTHERS.find((name) => given[name] !== undefined);
  if (other) throw new UsageError(`--${other} is not of scenes, which words tell of: leave it or --scene out`);
  if (Array.isArray(given.id) && given.id.length > 1) {
    throw new UsageError(
      `--id: a scene shows one person, and ${given.id.length} were given: the model has learned with one face in each picture; choose one`,
    );
  }
}

const dashed = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** `omni-id generate --scene`: a person in a scene that a sentence tells of (section 4.3). */
export async function drawScenes(out: string, options: SceneChosen): Promise<void> {
  const { id: [file] = [], number, seed, pose, negative, steps = STEPS, solver = "dpm", json } = options;
  const span = { start: options.identityStart ?? 0, end: options.identityEnd ?? 1 };
  if (span.start >= span.end) {
    throw new UsageError(`--identity-start ${span.start} is not before --identity-end ${span.end}`);
  }
  const generator = await SceneGenerator.load(options.weights);
  const { preset, base } = generator.base;
  if (options.embeddedGuidance !== undefined) {
    if (!preset.flow.flux.guidance)
      throw new UsageError("--embedded-guidance is of FLUX.1-dev, and these weights draw with another model");
    base.distilledGuidance = options.embeddedGuidance;
  }
  if (pose && !preset.flow.layout) {
    throw new UsageError(
      "--pose: these weights decide by themselves how a head is held (flow.layout=false): leave it out",
    );
  }
  const prompt = fitting(generator, options.prompt?.trim() || preset.flow.prompt);
  const away = negative === undefined ? undefined : fitting(generator, negative);
  const guidance = {
    text: options.textGuidance ?? generator.guidance.text,
    identity: options.guidance ?? generator.guidance.identity,
  };
  const identity = file === undefined ? undefined : loadIdentity(file);
  if (file !== undefined && identity) checkEncoder(file, identity, generator.encoder.hash);
  const wishes = Array.from({ length: number }, (_, i) => ({
    prompt,
    seed,
    pose,
    number: i,
    identity: identity?.tokens,
  }));
  const bar = stepBar(steps);
  const precision = options.float32 ? "float32" : undefined;
  const made = generator.draw(wishes, {
    guidance,
    span,
    negative: away,
    steps,
    solver,
    precision,
    onStep: (step) => bar?.update(step),
  });
  bar?.stop();
  await saveGrid(out, made.unbind(0).map(toRgb));
  const who = file === undefined ? "nobody in particular" : basename(file);
  print(
    {
      file: out,
      scene: true,
      count: number,
      seed,
      steps,
      solver,
      guidance,
      prompt,
      unknownWords: generator.unknownWords(prompt),
    },
    { json, file: out, text: `${out}: ${number} scenes of ${who}` },
  );
}

/** What the model can be told of a prompt; what it cannot is said. */
function fitting(generator: SceneGenerator, prompt: string): string {
  const unknown = [...new Set(generator.unknownWords(prompt))];
  if (unknown.length > 0) note(`note: the model does not know: ${shown(unknown)}`);
  for (const line of contradictions(prompt)) note(`note: the prompt contradicts itself: ${line}`);
  const { longest } = generator;
  const words = wordsOf(prompt);
  if (longest === undefined || words.length <= longest) return prompt;
  note(`note: the prompt has ${words.length} words that count, and the model takes ${longest}: the rest is left out`);
  return words.slice(0, longest).join(" ");
}

const MOST_SHOWN = 12;
const shown = (words: readonly string[]) =>
  words.length > MOST_SHOWN
    ? `${words.slice(0, MOST_SHOWN).join(", ")} and ${words.length - MOST_SHOWN} more`
    : words.join(", ");
