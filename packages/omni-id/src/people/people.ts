import type { Pose } from "@omni-id/face";
import { cat, defaultDevice, scope, stack, type Tensor } from "@omni-id/torch";

/** People in one file of the cache. */
export const PEOPLE_PER_PART = 64;

/** One file of the cache. */
export interface PeoplePart {
  tensors: Map<string, Tensor>;
  captions: string[];
}

/**
 * Identities with everything that a step needs at hand: aligned target crops and masks on the default device, the
 * frozen backbone's maps in memory-mapped files. Row `person · images + image` is one image.
 */
export class People {
  readonly ids: readonly string[];
  /** Images of each person. */
  readonly images: number;
  /** Aligned crops, `[rows, 3, S, S]` uint8. */
  readonly crops: Tensor;
  /** Face masks of the crops, 0 or 1, `[rows, S, S]` uint8. */
  readonly masks: Tensor;
  /** Five landmarks in pixels of the crop, `[rows, 5, 2]` float32. */
  readonly points: Tensor;
  /** The recogniser's feature of each image, of length 1, `[rows, 512]` float32. */
  readonly features: Tensor;
  /** 68 landmarks in pixels of the crop, `[rows, 68, 2]` float32. */
  readonly landmarks: Tensor;
  /** Yaw, pitch and roll of the head in the photo, degrees, `[rows, 3]` float32. */
  readonly poses: Tensor;
  /** What each picture shows, in words; "" where nobody wrote it down. */
  readonly captions: readonly string[];
  readonly #maps: Tensor[];

  constructor(ids: readonly string[], images: number, parts: readonly PeoplePart[]) {
    const joined = (key: string) =>
      scope(() => cat(parts.map((part) => take(part.tensors, key))).to(defaultDevice())).keep();
    this.ids = ids;
    this.images = images;
    this.crops = joined("crops");
    this.masks = joined("masks");
    this.points = joined("points");
    this.features = joined("features");
    this.landmarks = joined("landmarks");
    this.poses = joined("poses");
    this.captions = parts.flatMap(({ captions }) => captions);
    this.#maps = parts.map(({ tensors }) => take(tensors, "maps").keep());
  }

  /** The frozen backbone's maps of some rows, `[rows, tokens, channels]` float32. */
  maps(rows: readonly number[]): Tensor {
    const size = PEOPLE_PER_PART * this.images;
    // Kept as float16, which autocast on the CPU cannot join.
    const mapOf = (row: number) => this.#maps[Math.floor(row / size)].select(0, row % size).float();
    return scope(() => stack(rows.map(mapOf)).to(defaultDevice()));
  }

  rowsOf(person: number): number[] {
    return Array.from({ length: this.images }, (_, image) => person * this.images + image);
  }

  /** 68 landmarks of some rows, 136 numbers each. */
  landmarksOf(rows: readonly number[]): Float32Array[] {
    const all = this.landmarks.data() as Float32Array;
    return rows.map((row) => all.subarray(136 * row, 136 * (row + 1)));
  }

  /** Pose of a row, degrees. */
  poseOf(row: number): Pose {
    const [yaw, pitch, roll] = (this.poses.data() as Float32Array).subarray(3 * row, 3 * row + 3);
    return { yaw, pitch, roll };
  }

  /** What to call a row in a message. */
  nameOf(row: number): string {
    return `${this.ids[Math.floor(row / this.images)]}.${row % this.images}`;
  }
}

function take(part: ReadonlyMap<string, Tensor>, key: string): Tensor {
  const found = part.get(key);
  if (!found) throw new Error(`the cache of prepared people lacks "${key}"; delete its folder and run again`);
  return found;
}
