import type { RgbImage } from "@omni-id/face";
import { noGrad, scope } from "@omni-id/torch";
import type { EncodeResult } from "../encode.ts";
import type { Encoder } from "../encoder.ts";
import { faceCut } from "../pictures/face-input.ts";
import { rgbBatch, toUnit } from "../pictures/rgb-batch.ts";
import type { FacePlace } from "./attention-maps.ts";
import { type AttentionReport, attentionReport, placeOf } from "./attention-report.ts";

export interface AttentionOfOptions {
  /** Cross-attention block, from 1; the last one when absent. */
  block?: number | undefined;
  /** What becomes of a crop before the backbone sees it. */
  change?: (crop: RgbImage, place: FacePlace) => RgbImage;
}

/**
 * What the encoder's queries look at in photos of one person, all of them encoded together (figure 10).
 * @throws for a block that the encoder does not have
 */
export function attentionOf(
  encoder: Encoder,
  used: EncodeResult["used"],
  { block = encoder.cross_blocks.length, change = (crop) => crop }: AttentionOfOptions = {},
): AttentionReport {
  const blocks = encoder.cross_blocks.length;
  if (block < 1 || block > blocks)
    throw new RangeError(`block ${block}: this encoder has cross-attention blocks 1 to ${blocks}`);
  const { backbone } = encoder;
  const cuts = used.map(({ image, face }) => {
    const cut = { ...faceCut(backbone, image, face.landmarks), face };
    return { ...cut, image: change(cut.image, placeOf(cut)) };
  });
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
  const photos = cuts.map((cut, i) => ({ ...cut, name: used[i].photo }));
  return attentionReport({ block, photos, weights, queries, backbone });
}
