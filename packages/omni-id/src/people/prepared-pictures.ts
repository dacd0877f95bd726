import { fivePoints, type Pose } from "@omni-id/face";
import { cat, defaultDevice, onDevice, scope, stack, type Tensor, tensor } from "@omni-id/torch";
import { toUnit } from "../pictures/rgb-batch.ts";
import { faceTokens } from "../pictures/target-tokens.ts";
import type { Pictures } from "./picture-source.ts";

/** What is known of every row without its pictures: small, in main memory. */
export interface PeopleIndex {
  /** 68 landmarks in pixels of the crop, 136 numbers. */
  landmarks(row: number): Float32Array;
  /** Of the head in the photo, degrees. */
  pose(row: number): Pose;
  /** What each picture shows, in words; "" where nobody wrote it down. */
  readonly captions: readonly string[];
  /** Several wordings of a row's caption; empty where there are none. */
  readonly wordings?: readonly (readonly string[])[];
  /** For each token of a row's crop in patches of so many pixels: 1 where it touches the face. */
  faceTokens(patchSize: number): (row: number) => Uint8Array;
}

/** One file of the cache. */
export interface PeoplePart {
  tensors: Map<string, Tensor>;
  captions: string[];
  /** Other words for the same, row by row, where there are any. */
  wordings?: string[][];
}

/** Photos in a part. @throws when it lacks its crops */
export const rowsIn = ({ tensors }: PeoplePart): number => take(tensors, "crops").shape[0];

/** Rows whose masks are looked at together. */
const MASKS_AT_ONCE = 1024;

/**
 * Everything that was prepared, at hand: crops and masks on the default device, the frozen backbone's maps in
 * memory-mapped files. Of a backbone that is trained as a whole the maps are the photos: bytes, or the crops themselves.
 */
export class PreparedPictures implements Pictures, PeopleIndex {
  readonly rows: number;
  readonly crops: Tensor;
  readonly masks: Tensor;
  /** Five landmarks in pixels of the crop, `[rows, 5, 2]` float32. */
  readonly points: Tensor;
  /** The recogniser's feature of each image, of length 1, `[rows, 512]` float32, where it was computed. */
  readonly features: Tensor | undefined;
  readonly captions: readonly string[];
  readonly wordings: readonly (readonly string[])[];
  readonly #landmarks: Float32Array;
  readonly #poses: Float32Array;
  /** Maps or photos of each part, with the number of its first row. */
  readonly #seen: readonly { first: number; tensor: Tensor }[];

  /** @throws when a part lacks a tensor */
  constructor(parts: readonly PeoplePart[]) {
    const joined = (key: string, device = defaultDevice()) =>
      scope(() => onDevice("cpu", () => cat(parts.map((part) => take(part.tensors, key)))).to(device)).keep();
    const seen: { first: number; tensor: Tensor }[] = [];
    let first = 0;
    for (const part of parts) {
      const { tensors } = part;
      const tensor = tensors.get("maps") ?? tensors.get("photos");
      if (tensor) seen.push({ first, tensor: tensor.keep() });
      first += rowsIn(part);
    }
    this.rows = first;
    this.#seen = seen;
    this.crops = joined("crops");
    this.masks = joined("masks");
    this.points = joined("points");
    this.features = parts.every(({ tensors }) => tensors.has("features")) ? joined("features") : undefined;
    // Read as numbers, row by row.
    this.#landmarks = joined("landmarks", "cpu").data() as Float32Array;
    this.#poses = joined("poses", "cpu").data() as Float32Array;
    this.captions = parts.flatMap(({ captions }) => captions);
    this.wordings = parts.flatMap(({ captions, wordings }) => captions.map((_, row) => wordings?.[row] ?? []));
  }

  cropsOf(rows: readonly number[]): Tensor {
    return scope(() => this.crops.indexSelect(0, tensor(rows, { dtype: "int64" })));
  }

  masksOf(rows: readonly number[]): Tensor {
    return scope(() => this.masks.indexSelect(0, tensor(rows, { dtype: "int64" })));
  }

  featuresOf(rows: readonly number[]): Tensor | undefined {
    return scope(() => this.features?.indexSelect(0, tensor(rows, { dtype: "int64" })));
  }

  maps(rows: readonly number[]): Tensor {
    return scope(() => {
      if (this.#seen.length === 0) return toUnit(this.cropsOf(rows));
      // Kept as float16, which autocast on the CPU cannot join; the files lie in main memory.
      const isPhoto = this.#seen[0].tensor.dtype === "uint8";
      const joined = () => stack(rows.map((row) => (isPhoto ? this.#seenOf(row) : this.#seenOf(row).float())));
      const all = onDevice("cpu", joined).to(defaultDevice());
      return isPhoto ? toUnit(all) : all;
    });
  }

  #seenOf(row: number): Tensor {
    let part = this.#seen.length - 1;
    while (this.#seen[part].first > row) part--;
    return this.#seen[part].tensor.select(0, row - this.#seen[part].first);
  }

  landmarks(row: number): Float32Array {
    return this.#landmarks.subarray(136 * row, 136 * (row + 1));
  }

  pose(row: number): Pose {
    const [yaw, pitch, roll] = this.#poses.subarray(3 * row, 3 * row + 3);
    return { yaw, pitch, roll };
  }

  faceTokens(patchSize: number): (row: number) => Uint8Array {
    const parts: Uint8Array[] = [];
    for (let from = 0; from < this.rows; from += MASKS_AT_ONCE) {
      const length = Math.min(MASKS_AT_ONCE, this.rows - from);
      parts.push(scope(() => faceTokens(this.masks.narrow(0, from, length), patchSize)));
    }
    const tokens = (this.masks.shape[1] / patchSize) ** 2;
    return (row) => {
      const at = (row % MASKS_AT_ONCE) * tokens;
      return parts[Math.floor(row / MASKS_AT_ONCE)].subarray(at, at + tokens);
    };
  }
}

/** Five points of some rows as a tensor on the default device, `[rows, 5, 2]`. */
export function pointsTensor(index: PeopleIndex, rows: readonly number[]): Tensor {
  return scope(() => stack(rows.map((row) => tensor(fivePoints(index.landmarks(row)), { shape: [5, 2] }))));
}

function take(part: ReadonlyMap<string, Tensor>, key: string): Tensor {
  const found = part.get(key);
  if (!found) throw new Error(`the cache of prepared people lacks "${key}"; delete its folder and run again`);
  return found;
}
