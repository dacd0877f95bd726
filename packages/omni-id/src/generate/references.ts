import { loadImage, type RgbImage } from "@omni-id/face";
import { scope, type Tensor } from "@omni-id/torch";
import type { Conditions, FlowBase } from "../flow-base.ts";
import { MAX_REFERENCES, prepareReference } from "../pictures/reference-photo.ts";
import { rgbBatch, toUnit } from "../pictures/rgb-batch.ts";
import { type DrawOptions, drawPictures } from "./draw.ts";

export interface Reference {
  /** For messages. */
  name: string;
  image: RgbImage;
}

/** Photos to draw from. @throws one line when one cannot be read */
export function loadReferences(files: readonly string[]): Promise<Reference[]> {
  return Promise.all(files.map(async (name) => ({ name, image: await loadImage(name) })));
}

/**
 * What FLUX.2 is told by photos alone, its own way: their latents stand behind those of the picture, at every step.
 * @throws when there are more than ten, or one is too small or too narrow, and which
 */
export async function referenceSteering(
  base: FlowBase,
  references: readonly Reference[],
  count: number,
): Promise<Conditions> {
  if (references.length > MAX_REFERENCES) {
    throw new Error(`${references.length} references: FLUX.2 takes ${MAX_REFERENCES} at most; name fewer`);
  }
  const prepared: RgbImage[] = [];
  for (const { name, image } of references) {
    try {
      prepared.push(await prepareReference(image, references.length));
    } catch (error) {
      throw new Error(`${name}: ${(error as Error).message}`);
    }
  }
  return scope(() => {
    const { tokens, ids } = base.references(prepared.map((photo) => toUnit(rgbBatch([photo]))));
    return { references: { tokens: tokens.expand([count, ...tokens.shape.slice(1)]), ids } };
  });
}

/**
 * Pictures from photos and words without any identity: klein's own references, the baseline that needs no training.
 * `[count, 3, S, S]` in [−1, 1].
 */
export async function drawFromReferences(
  base: FlowBase,
  {
    references,
    ...options
  }: Omit<DrawOptions, "conditions" | "without" | "control"> & { references: readonly Reference[] },
): Promise<Tensor> {
  if (references.length === 0) return drawPictures(base, options);
  const steering = await referenceSteering(base, references, options.count);
  // With guidance the photos are given on both sides: it leads away from the empty prompt.
  return drawPictures(base, { ...options, conditions: steering, without: steering });
}
