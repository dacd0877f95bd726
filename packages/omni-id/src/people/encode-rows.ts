import { scope, type Tensor } from "@omni-id/torch";
import type { Pictures } from "./picture-source.ts";

/** What makes an identity of prepared photos: the encoder or another representation, told by what is asked of it. */
export interface SetEncoder {
  readonly backbone: { fromMaps(maps: Tensor): Tensor };
  /** Whether it wants the recogniser's features `[sets, photos, 512]` too. */
  readonly wantsFeatures?: boolean;
  fromTokens(tokens: Tensor, features?: Tensor): Tensor;
}

/**
 * Identities of `sets` sets of rows, one after the other in `rows`: `[sets, L, C]`.
 * @throws when features are wanted of people who have none
 */
export function encodeRows(
  encoder: SetEncoder,
  pictures: Pick<Pictures, "maps" | "featuresOf">,
  rows: readonly number[],
  sets: number,
): Tensor {
  return scope(() => {
    const tokens = encoder.backbone.fromMaps(pictures.maps(rows));
    const z = tokens.reshape([sets, -1, tokens.shape[2]]);
    if (!encoder.wantsFeatures) return encoder.fromTokens(z);
    const features = pictures.featuresOf?.(rows);
    if (!features) {
      throw new Error(
        "this representation wants the recogniser's features, which streamed people lack; name the shards themselves as --data",
      );
    }
    return encoder.fromTokens(z, features.reshape([sets, -1, features.shape[1]]));
  });
}
