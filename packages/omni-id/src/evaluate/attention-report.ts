import { type AnalysedFace, type Crop, fivePoints, type RgbImage, transformPoints } from "@omni-id/face/plain";
import { type FacePlace, type Place, type PlaceWeights, type QueryFocus, queryFocus } from "./attention-maps.ts";

export interface PhotoAttention {
  name: string;
  /** What the backbone saw. */
  crop: RgbImage;
  /** Where the face stands in it. */
  place: FacePlace;
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

/** The attention of one block over photos that were encoded together. */
export interface PhotosAttention {
  block: number;
  /** Each photo, and how its face was cut out. */
  photos: readonly (Crop & { name: string; face: AnalysedFace })[];
  /** Weights of all queries over the tokens of all photos, row by row. */
  weights: Float32Array;
  queries: number;
  backbone: { tokens: number; grid: { first: number; side: number } };
}

/** What the queries look at, photo by photo. */
export function attentionReport({ block, photos: cuts, weights, queries, backbone }: PhotosAttention): AttentionReport {
  const { first, side } = backbone.grid;
  const all = cuts.length * backbone.tokens;
  const photos = cuts.map((cut, photo) => ({
    name: cut.name,
    crop: cut.image,
    place: placeOf(cut),
    maps: Array.from({ length: queries }, (_, query) => {
      const from = query * all + photo * backbone.tokens + first;
      return weights.subarray(from, from + side * side);
    }),
  }));
  const placed = photos
    .flatMap(({ maps }) => maps)
    .reduce((sum, map) => sum + Array.from(map).reduce((a, b) => a + b, 0), 0);
  const focus = queryFocus(
    photos.map(({ maps }) => maps),
    photos.map(({ place }) => place),
  );
  return { block, photos, queries: focus, placed: placed / queries };
}

/** Where a face stands in its crop. */
export function placeOf({ matrix, face, image }: Crop & { face: Pick<AnalysedFace, "landmarks"> }): FacePlace {
  const [ax, ay, bx, by, , , cx, cy, dx, dy] = transformPoints(fivePoints(face.landmarks), matrix);
  const middle = (x: number, y: number): Place => [x / 2 / image.width, y / 2 / image.height];
  return { eyes: middle(ax + bx, ay + by), mouth: middle(cx + dx, cy + dy) };
}
