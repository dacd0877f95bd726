import { fivePoints, type RgbImage, transformPoints } from "@omni-id/face";
import { noGrad, scope } from "@omni-id/torch";
import type { EncodeResult } from "../encode.ts";
import type { Encoder } from "../encoder.ts";
import { faceCut } from "../pictures/face-input.ts";
import { rgbBatch, toUnit } from "../pictures/rgb-batch.ts";
import { type FacePlace, type Place, type PlaceWeights, type QueryFocus, queryFocus } from "./attention-maps.ts";

export interface PhotoAttention {
  name: string;
  /** What the backbone saw. */
  crop: RgbImage;
  /** Weights of each query over the places of the crop, of the chosen block; `[L][side · side]`. */
  maps: PlaceWeights[];
}

export interface AttentionReport {
  /** The cross-attention block that the maps are of, from 1. */
  block: number;
  photos: PhotoAttention[];
  queries: QueryFocus[];
  /** Share of all attention that went to tokens with a place; the rest went to tokens of the photo as a whole. */
  placed: number;
}

/**
 * What the encoder's queries look at in photos of one person, all of them encoded together (figure 10).
 * @param block cross-attention block, from 1; the last one when absent
 * @throws for a block that the encoder does not have
 */
export function attentionOf(
  encoder: Encoder,
  used: EncodeResult["used"],
  block = encoder.cross_blocks.length,
): AttentionReport {
  const blocks = encoder.cross_blocks.length;
  if (block < 1 || block > blocks)
    throw new RangeError(`block ${block}: this encoder has cross-attention blocks 1 to ${blocks}`);
  const { backbone } = encoder;
  const cuts = used.map(({ image, face }) => ({ ...faceCut(backbone, image, face.landmarks), face }));
  const { weights, queries } = scope(() =>
    noGrad(() => {
      const tokens = backbone.forward(toUnit(rgbBatch(cuts.map(({ image }) => image))));
      const looked = encoder.attention(tokens.reshape([1, -1, backbone.width]))[block - 1];
      return {
        weights: Float32Array.from(looked.float().contiguous().data() as Float32Array),
        queries: looked.shape[1],
      };
    }),
  );
  const { first, side } = backbone.grid;
  const all = used.length * backbone.tokens;
  const photos = cuts.map(({ image }, photo) => ({
    name: used[photo].photo,
    crop: image,
    maps: Array.from({ length: queries }, (_, query) => {
      const from = query * all + photo * backbone.tokens + first;
      return weights.subarray(from, from + side * side);
    }),
  }));
  const faces = cuts.map(({ matrix, face, image }): FacePlace => {
    const [ax, ay, bx, by, , , cx, cy, dx, dy] = transformPoints(fivePoints(face.landmarks), matrix);
    const middle = (x: number, y: number): Place => [x / 2 / image.width, y / 2 / image.height];
    return { eyes: middle(ax + bx, ay + by), mouth: middle(cx + dx, cy + dy) };
  });
  const placed = photos
    .flatMap(({ maps }) => maps)
    .reduce((sum, map) => sum + Array.from(map).reduce((a, b) => a + b, 0), 0);
  const focus = queryFocus(
    photos.map(({ maps }) => maps),
    faces,
  );
  return { block, photos, queries: focus, placed: placed / queries };
}
