import { autocast, noGrad, scope, type Tensor } from "@omni-id/torch";
import { clipOutputs, t5Outputs } from "./encoder-families.ts";
import { fluxOutputs } from "./flux-family.ts";
import { flux2Outputs } from "./flux2-family.ts";
import { GoldenFile } from "./golden-file.ts";
import type { Output } from "./output.ts";
import { qwen3Outputs } from "./qwen3-family.ts";
import { samplingOutputs } from "./sampling-family.ts";

/** Largest difference that passes, as a share of the largest reference value. */
export const LIMIT = 1e-4;

export interface ParityResult {
  /** Such as `flux.output` or `clip.image_embeds`. */
  name: string;
  /** Largest absolute difference over the largest absolute reference value. */
  difference: number;
  pass: boolean;
  /** The precision it was computed in, where that is not the file's: then the distance is no failure. */
  told?: "bfloat16";
}

interface Family {
  name: string;
  /** How a tensor of such a file begins. */
  signs: readonly string[];
  outputs(file: GoldenFile): Generator<Output>;
}

const families: readonly Family[] = [
  { name: "", signs: ["flux2.", "ae.weights.bn."], outputs: flux2Outputs },
  { name: "qwen3.", signs: ["weights.model.layers."], outputs: qwen3Outputs },
  { name: "", signs: ["flux.", "ip.", "controlnet.", "ae."], outputs: fluxOutputs },
  { name: "clip.", signs: ["weights.vision_model.", "weights.text_model."], outputs: clipOutputs },
  { name: "t5.", signs: ["weights.encoder.block.", "weights.shared."], outputs: t5Outputs },
];

/**
 * Builds the models that a golden file describes on the default device, loads its weights and compares every output
 * that it holds.
 * @param report is told each result at once
 * @param precision bfloat16: products in bfloat16, as in training; the distance is then told, and is no failure
 * @throws one line for a file that cannot be read, lacks tensors or sizes, or is of no known family
 */
export function checkParity(
  path: string,
  report: (result: ParityResult) => void = () => {},
  { precision = "float32" }: { precision?: "float32" | "bfloat16" } = {},
): ParityResult[] {
  if (path.endsWith(".json")) return checkSampling(path, report);
  const file = new GoldenFile(path);
  const family = families.find(({ signs }) => file.keys().some((key) => signs.some((sign) => key.startsWith(sign))));
  if (!family) {
    const example = file.keys()[0] ?? "none";
    throw file.error(
      `no golden vectors of FLUX, FLUX.2, CLIP, T5 or Qwen3 (its first tensor: "${example}"); see scripts/golden.py`,
    );
  }
  const compare = (): ParityResult[] => {
    const done: ParityResult[] = [];
    try {
      for (const { key, value, told: own } of family.outputs(file)) {
        if (!file.has(key) || (own && precision === "bfloat16")) continue;
        const told = precision === "bfloat16" ? precision : own;
        const name = family.name + key.replace(/(^|\.)io\./, "$1") + (told ? ` in ${told}` : "");
        const difference = scope(() => relativeDifference(value().float(), file.get(key)));
        const pass = difference <= LIMIT || (told && Number.isFinite(difference)) === true;
        const result = { name, difference, pass, told };
        report(result);
        done.push(result);
      }
    } catch (error) {
      const { message } = error as Error;
      throw message.startsWith(path) ? error : file.error(message);
    }
    return done;
  };
  const results = scope(() => noGrad(() => autocast({ enabled: precision === "bfloat16" }, compare)));
  if (results.length === 0) throw file.error("it holds weights but no outputs to compare with");
  return results;
}

/** The same for a JSON file of what stands around the networks: schedules, positions, sizes, prompts. */
function checkSampling(path: string, report: (result: ParityResult) => void): ParityResult[] {
  const results: ParityResult[] = [];
  for (const { name, difference } of scope(() => [...samplingOutputs(path)])) {
    const result = { name, difference, pass: difference <= LIMIT };
    report(result);
    results.push(result);
  }
  return results;
}

/** Infinite for another shape, NaN where there are NaNs: neither passes. */
function relativeDifference(got: Tensor, wanted: Tensor): number {
  if (got.shape.join() !== wanted.shape.join()) return Number.POSITIVE_INFINITY;
  const largest = (t: Tensor) => t.double().abs().flatten().amax([0]).item();
  return largest(got.sub(wanted)) / largest(wanted);
}
