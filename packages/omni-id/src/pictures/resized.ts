import { F, type Tensor } from "@omni-id/torch";

/** Square pictures `[B, 3, S, S]` at another side, bilinearly; the same ones where it is theirs. */
export const resized = (pictures: Tensor, side: number): Tensor =>
  pictures.shape[3] === side ? pictures : F.interpolate(pictures, { size: [side, side], mode: "bilinear" });
