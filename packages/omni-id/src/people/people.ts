import type { Pose } from "@omni-id/face";
import { cat, defaultDevice, onDevice, scope, stack, type Tensor } from "@omni-id/torch";
import type { PeopleShare } from "./share.ts";

/** Photos that a person must have to be tested: one to go in, another one to compare with. */
export const LEAST_TESTED = 2;

/** People in one file of the cache. */
export const PEOPLE_PER_PART = 64;

/** One file of the cache. */
export interface PeoplePart {
  tensors: Map<string, Tensor>;
  captions: string[];
}

/** Rows of all people: what {@link People} and its views look into. */
interface Table {
  crops: Tensor;
  masks: Tensor;
  points: Tensor;
  features: Tensor;
  landmarks: Tensor;
  poses: Tensor;
  captions: readonly string[];
  /** Maps of each part, with the number of its first row. */
  maps: readonly { first: number; tensor: Tensor }[];
}

/**
 * Identities with everything that a step needs at hand: aligned target crops and masks on the default device, the
 * frozen backbone's maps in memory-mapped files. A row is one image; each person has a list of rows of its own, for
 * people have unequal numbers of photos.
 */
export class People {
  readonly ids: readonly string[];
  /** Sets that were joined, and how often each is drawn from. */
  readonly shares: readonly PeopleShare[];
  /** Aligned crops, `[rows, 3, S, S]` uint8. */
  readonly crops: Tensor;
  /** Face masks of the crops, 0 or 1, `[rows, S, S]` uint8. */
  readonly masks: Tensor;
  /** Five landmarks in pixels of the crop, `[rows, 5, 2]` float32. */
  readonly points: Tensor;
  /** The recogniser's feature of each image, of length 1, `[rows, 512]` float32. */
  readonly features: Tensor;
  /** 68 landmarks in pixels of the crop, `[rows, 68, 2]` float32, in main memory. */
  readonly landmarks: Tensor;
  /** Yaw, pitch and roll of the head in the photo, degrees, `[rows, 3]` float32, in main memory. */
  readonly poses: Tensor;
  /** What each picture shows, in words; "" where nobody wrote it down. */
  readonly captions: readonly string[];
  /** Rows of altered copies, of people who have one; see {@link People.from}. */
  readonly #copies: ReadonlyMap<number, number>;
  readonly #rows: readonly (readonly number[])[];
  readonly #places = new Map<number, readonly [person: number, image: number]>();
  readonly #table: Table;

  private constructor(
    ids: readonly string[],
    rows: readonly (readonly number[])[],
    copies: ReadonlyMap<number, number>,
    shares: readonly PeopleShare[],
    table: Table,
  ) {
    this.ids = ids;
    this.shares = shares;
    this.crops = table.crops;
    this.masks = table.masks;
    this.points = table.points;
    this.features = table.features;
    this.landmarks = table.landmarks;
    this.poses = table.poses;
    this.captions = table.captions;
    this.#rows = rows;
    this.#copies = copies;
    this.#table = table;
    for (const [person, own] of rows.entries())
      for (const [image, row] of own.entries()) this.#places.set(row, [person, image]);
    for (const [person, row] of copies) this.#places.set(row, [person, rows[person].length]);
  }

  /**
   * @param counts photos of each person, in the order of the parts' rows
   * @param altered people behind whose photos a row more stands: an altered copy of the only one, which is never drawn
   * but as an input
   * @param shares sets among them and their weights; where absent, everybody is drawn alike
   * @throws when the parts hold other numbers of rows
   */
  static from(
    ids: readonly string[],
    counts: readonly number[],
    parts: readonly PeoplePart[],
    {
      altered = [],
      shares = [{ people: ids.length, weight: 1 }],
    }: { altered?: readonly boolean[]; shares?: readonly PeopleShare[] } = {},
  ): People {
    const joined = (key: string, device = defaultDevice()) =>
      scope(() => onDevice("cpu", () => cat(parts.map((part) => take(part.tensors, key)))).to(device)).keep();
    const maps: { first: number; tensor: Tensor }[] = [];
    let first = 0;
    for (const { tensors } of parts) {
      const tensor = take(tensors, "maps").keep();
      maps.push({ first, tensor });
      first += tensor.shape[0];
    }
    let next = 0;
    const copies = new Map<number, number>();
    const rows = counts.map((count, person) => {
      const own = Array.from({ length: count }, () => next++);
      if (altered[person]) copies.set(person, next++);
      return own;
    });
    if (next !== first || counts.length !== ids.length) {
      throw new Error(
        `the cache of prepared people holds ${first} photos, not ${next}; delete its folder and run again`,
      );
    }
    return new People(ids, rows, copies, shares, {
      crops: joined("crops"),
      masks: joined("masks"),
      points: joined("points"),
      features: joined("features"),
      // Read as numbers, row by row.
      landmarks: joined("landmarks", "cpu"),
      poses: joined("poses", "cpu"),
      captions: parts.flatMap(({ captions }) => captions),
      maps,
    });
  }

  /** The people who have at least so many photos, looking into the same rows. */
  withPhotos(least: number): People {
    const kept = [...this.ids.keys()].filter((person) => this.#rows[person].length >= least);
    let from = 0;
    const shares = this.shares.map(({ people, weight }) => {
      const inside = kept.filter((person) => person >= from && person < from + people).length;
      from += people;
      return { people: inside, weight };
    });
    return new People(
      kept.map((person) => this.ids[person]),
      kept.map((person) => this.#rows[person]),
      new Map(), // a copy is for those alone who have one photo
      shares.filter(({ people }) => people > 0),
      this.#table,
    );
  }

  /** The frozen backbone's maps of some rows, `[rows, tokens, channels]` float32. */
  maps(rows: readonly number[]): Tensor {
    // Kept as float16, which autocast on the CPU cannot join; the files lie in main memory.
    const joined = () => stack(rows.map((row) => this.#mapOf(row).float()));
    return scope(() => onDevice("cpu", joined).to(defaultDevice()));
  }

  #mapOf(row: number): Tensor {
    const { maps } = this.#table;
    let part = maps.length - 1;
    while (maps[part].first > row) part--;
    return maps[part].tensor.select(0, row - maps[part].first);
  }

  /** Photos of each person. */
  get counts(): number[] {
    return this.#rows.map(({ length }) => length);
  }

  /** All rows, person by person. */
  get rows(): number[] {
    return this.#rows.flat();
  }

  rowsOf(person: number): readonly number[] {
    return this.#rows[person];
  }

  /** The row of a person's photo; of the altered copy where `image` is one more than there are. */
  row(person: number, image: number): number {
    const own = this.#rows[person];
    const row = own[image] ?? (image === own.length ? this.#copies.get(person) : undefined);
    if (row === undefined)
      throw new RangeError(`${this.ids[person]} has ${own.length} photos, and none of number ${image}`);
    return row;
  }

  /** Of whom there is an altered copy, person by person. */
  get altered(): boolean[] {
    return this.#rows.map((_, person) => this.#copies.has(person));
  }

  /** Whose photo a row is. */
  personOf(row: number): number {
    return this.#place(row)[0];
  }

  /** Which of its person's photos a row is. */
  imageOf(row: number): number {
    return this.#place(row)[1];
  }

  #place(row: number): readonly [person: number, image: number] {
    const place = this.#places.get(row);
    if (!place) throw new RangeError(`row ${row} is none of these people's`);
    return place;
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
    const [person, image] = this.#place(row);
    return `${this.ids[person]}.${image}`;
  }
}

function take(part: ReadonlyMap<string, Tensor>, key: string): Tensor {
  const found = part.get(key);
  if (!found) throw new Error(`the cache of prepared people lacks "${key}"; delete its folder and run again`);
  return found;
}
