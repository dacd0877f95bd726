import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { kleinFiles } from "../checkpoints/klein-base.ts";
import type { ExperimentSettings } from "../experiments/stages.ts";

/** Klein's smaller training size, and the photos' too. */
const PIXELS = 512;

/**
 * Whether the arm of klein's own references can be run: where its files are, on a GPU or where somebody asks for it.
 * @param asked side of the pictures
 */
export function kleinHere(asked: number | undefined, device: string): NonNullable<ExperimentSettings["references"]> {
  if (asked === undefined && device === "cpu") {
    return { missing: "FLUX.2 [klein] draws for days on a processor: --device cuda, or --references 512 all the same" };
  }
  try {
    const files = Object.values(kleinFiles("base")).map((path) => statSync(path).size);
    const hash = createHash("sha256").update(JSON.stringify(files)).digest("hex").slice(0, 12);
    return { pixels: asked ?? PIXELS, hash };
  } catch (error) {
    return { missing: (error as Error).message };
  }
}
