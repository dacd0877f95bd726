import { scope, type Tensor } from "@omni-id/torch";
import type { Pictures } from "./picture-source.ts";

/** What makes an identity of prepared photos: the encoder, told by what is asked of it. */
export interface SetEncoder {
  readonly backbone: { fromMaps(maps: Tensor): Tensor };
  fromTokens(tokens: Tensor): Tensor;
}

/** Identities of `sets` sets of rows, one after the other in `rows`: `[sets, L, C]`. */
export function encodeRows(
  encoder: SetEncoder,
  pictures: Pick<Pictures, "maps">,
  rows: readonly number[],
  sets: number,
): Tensor {
  return scope(() => {
    const tokens = encoder.backbone.fromMaps(pictures.maps(rows));
    return encoder.fromTokens(tokens.reshape([sets, -1, tokens.shape[2]]));
  });
}
