import type { Tensor } from "@omni-id/torch";

/** Pictures of people by their rows, on the default device. */
export interface Pictures {
  /** Aligned crops, `[rows, 3, S, S]` uint8. */
  cropsOf(rows: readonly number[]): Tensor;
  /** Face masks of the crops, 0 or 1, `[rows, S, S]` uint8. */
  masksOf(rows: readonly number[]): Tensor;
  /** What the backbone computes ahead of its training: maps of a frozen network, or the photos in [−1, 1], `[rows, …]` float32. */
  maps(rows: readonly number[]): Tensor;
  /** The recogniser's features, of length 1, `[rows, 512]` float32, where they were computed. */
  featuresOf?(rows: readonly number[]): Tensor | undefined;
}

/** Which pictures somebody is going to ask for. */
export interface PictureRows {
  crops?: readonly number[];
  masks?: readonly number[];
  maps?: readonly number[];
}

/** Pictures that were fetched, and take memory until they are let go. */
export interface FetchedPictures extends Pictures, Disposable {}

/** Where pictures come from that do not lie at hand. */
export interface PictureSource {
  /** @throws rejects with one line when a picture cannot be had */
  fetch(wanted: PictureRows): Promise<FetchedPictures>;
}
