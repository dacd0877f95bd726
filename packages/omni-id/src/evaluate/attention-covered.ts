import { mean } from "@omni-id/data/plain";
import type { RgbImage } from "@omni-id/face/plain";
import type { FacePlace, PlaceWeights } from "./attention-maps.ts";

/** What a scarf or a hand would hide: from under the nose to below the lips, in distances from the eyes to the mouth. */
const BAND = { across: 0.75, above: 0.35, below: 0.75 };
const GREY = 128;

/** The mouth's own part of a crop, 0…1 from its left upper corner. */
function bandOf({ eyes, mouth }: FacePlace): (x: number, y: number) => boolean {
  const unit = Math.hypot(mouth[0] - eyes[0], mouth[1] - eyes[1]);
  return (x, y) =>
    Math.abs(x - mouth[0]) <= BAND.across * unit &&
    y >= mouth[1] - BAND.above * unit &&
    y <= mouth[1] + BAND.below * unit;
}

/** A crop whose mouth is hidden by a patch of grey. */
export function coverMouth({ width, height, data }: RgbImage, face: FacePlace): RgbImage {
  const hides = bandOf(face);
  const covered = Uint8Array.from(data);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!hides((x + 0.5) / width, (y + 0.5) / height)) continue;
      const at = (y * width + x) * 3;
      covered.fill(GREY, at, at + 3);
    }
  }
  return { width, height, data: covered };
}

/** Share of a query's attention that goes where the mouth is, the mean over photos. */
export function shareAtMouth(maps: readonly PlaceWeights[], faces: readonly FacePlace[]): number {
  return mean(
    maps.map((map, photo) => {
      const hides = bandOf(faces[photo]);
      const side = Math.sqrt(map.length);
      let [total, there] = [0, 0];
      for (let i = 0; i < map.length; i++) {
        total += map[i];
        if (hides(((i % side) + 0.5) / side, (Math.floor(i / side) + 0.5) / side)) there += map[i];
      }
      return there / total;
    }),
  );
}
