import type { Pose } from "@omni-id/face";
import { scope, type Tensor, tensor } from "@omni-id/torch";
import type { FetchedPictures, PictureRows, PictureSource, Pictures } from "./picture-source.ts";
import { type PeopleIndex, type PeoplePart, PreparedPictures, pointsTensor, rowsIn } from "./prepared-pictures.ts";
import type { PeopleShare } from "./share.ts";

/** Photos that a person must have to be tested: one to go in, another one to compare with. */
export const LEAST_TESTED = 2;

/** People in one file of the cache. */
export const PEOPLE_PER_PART = 64;

/** Rows of all people: what {@link People} and its views look into. */
interface Table {
  index: PeopleIndex;
  /** Where they lie at hand. */
  prepared?: PreparedPictures;
  /** Where they come from, else. */
  source?: PictureSource;
}

/** Who is among some people, and which rows are whose. */
export interface PeopleList {
  ids: readonly string[];
  /** Photos of each person, in the order of the rows. */
  counts: readonly number[];
  /**
   * People behind whose photos a row more stands: an altered copy of the only one, which is never drawn but as an input.
   */
  altered?: readonly boolean[];
  /** Altered copies of every photo, behind those rows: of the first photo all, then of the second; none where absent. */
  copies?: number;
  /** Sets among them and their weights; where absent, everybody is drawn alike. */
  shares?: readonly PeopleShare[];
}

/**
 * Identities with everything that a step needs: landmarks, poses and captions of all in memory, pictures at hand or
 * fetched. A row is one image; each person has a list of rows of its own, for people have unequal numbers of photos.
 */
export class People implements Pictures {
  readonly ids: readonly string[];
  /** Photos of each person. */
  readonly counts: readonly number[];
  /** Of whom there is an altered copy, person by person. */
  readonly altered: readonly boolean[];
  /** Sets that were joined, and how often each is drawn from. */
  readonly shares: readonly PeopleShare[];
  /** Altered copies of each photo; see {@link copyOf}. */
  readonly copies: number;
  readonly #rows: readonly (readonly number[])[];
  /** Rows behind each person's photos; see {@link PeopleList}. */
  readonly #behind: readonly (readonly number[])[];
  readonly #table: Table;
  #places: Map<number, readonly [person: number, image: number]> | undefined;

  private constructor(
    ids: readonly string[],
    { own, behind, altered, copies }: Rows,
    shares: readonly PeopleShare[],
    table: Table,
  ) {
    this.ids = ids;
    this.shares = shares;
    this.counts = own.map(({ length }) => length);
    this.altered = altered;
    this.copies = copies;
    this.#rows = own;
    this.#behind = behind;
    this.#table = table;
  }

  /** People whose pictures lie at hand. @throws when the parts hold other numbers of rows */
  static from(
    ids: readonly string[],
    counts: readonly number[],
    parts: readonly PeoplePart[],
    { altered, shares, copies }: Pick<PeopleList, "altered" | "shares" | "copies"> = {},
  ): People {
    const list = { ids, counts, altered, shares, copies };
    const rows = rowsOf(list);
    const found = parts.reduce((sum, part) => sum + rowsIn(part), 0);
    if (rows.count !== found || counts.length !== ids.length) {
      throw new Error(
        `the cache of prepared people holds ${found} photos, not ${rows.count}; delete its folder and run again`,
      );
    }
    const prepared = new PreparedPictures(parts);
    return new People(ids, rows, sharesOf(list), { index: prepared, prepared });
  }

  /** People whose pictures are fetched as they are wanted. */
  static streamed(list: PeopleList, index: PeopleIndex, source: PictureSource): People {
    const rows = rowsOf(list);
    return new People(list.ids, rows, sharesOf(list), { index, source });
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
      // Those who are tested have no copies.
      {
        own: kept.map((person) => this.#rows[person]),
        behind: kept.map(() => []),
        altered: kept.map(() => false),
        copies: 0,
      },
      shares.filter(({ people }) => people > 0),
      this.#table,
    );
  }

  /** Starts fetching pictures; undefined where all of them lie at hand. */
  fetch(wanted: PictureRows): Promise<FetchedPictures> | undefined {
    return this.#table.source?.fetch(wanted);
  }

  /** The pictures of some rows, fetched or at hand; to be disposed of. */
  async pictures(wanted: PictureRows): Promise<FetchedPictures> {
    const fetched = await this.fetch(wanted);
    return (
      fetched ?? {
        cropsOf: (rows) => this.cropsOf(rows),
        masksOf: (rows) => this.masksOf(rows),
        maps: (rows) => this.maps(rows),
        featuresOf: (rows) => this.featuresOf(rows),
        [Symbol.dispose]: () => {},
      }
    );
  }

  /** Of pictures at hand; as all of the following. @throws where pictures are fetched */
  cropsOf(rows: readonly number[]): Tensor {
    return this.#prepared.cropsOf(rows);
  }
  masksOf(rows: readonly number[]): Tensor {
    return this.#prepared.masksOf(rows);
  }
  maps(rows: readonly number[]): Tensor {
    return this.#prepared.maps(rows);
  }
  /** The recogniser's features of some rows, `[rows, 512]` float32; undefined where nobody computed them. */
  featuresOf(rows: readonly number[]): Tensor | undefined {
    return this.#table.prepared?.featuresOf(rows);
  }
  /** Aligned crops, `[rows, 3, S, S]` uint8. */
  get crops(): Tensor {
    return this.#prepared.crops;
  }
  /** Face masks of the crops, 0 or 1, `[rows, S, S]` uint8. */
  get masks(): Tensor {
    return this.#prepared.masks;
  }
  /** Five landmarks in pixels of the crop, `[rows, 5, 2]` float32. */
  get points(): Tensor {
    return this.#prepared.points;
  }

  /** The recogniser's feature of each image, of length 1, `[rows, 512]` float32. @throws where nobody computed them */
  get features(): Tensor {
    const { features } = this.#prepared;
    if (features) return features;
    throw new Error("the recogniser's features of these people were not computed; name their own shards as --data");
  }

  get #prepared(): PreparedPictures {
    const { prepared } = this.#table;
    if (prepared) return prepared;
    throw new Error(
      "the pictures of these people are streamed, and were asked for as if they lay at hand; name their own shards as --data",
    );
  }

  /** Five landmarks of some rows, in pixels of the crop, `[rows, 5, 2]` float32. */
  pointsOf(rows: readonly number[]): Tensor {
    const { prepared, index } = this.#table;
    if (!prepared) return pointsTensor(index, rows);
    return scope(() => prepared.points.indexSelect(0, tensor(rows, { dtype: "int64" })));
  }

  /** What each picture shows, in words, row by row; "" where nobody wrote it down. */
  get captions(): readonly string[] {
    return this.#table.index.captions;
  }

  /** Several wordings of a picture's caption, row by row; nothing where there is one. */
  get wordings(): readonly (readonly string[])[] {
    return this.#table.index.wordings ?? [];
  }

  /** For each token of a row's crop, in patches of so many pixels: 1 where it touches the face. */
  faceTokens(patchSize: number): (row: number) => Uint8Array {
    return this.#table.index.faceTokens(patchSize);
  }

  /** All rows, person by person. */
  get rows(): number[] {
    return this.#rows.flat();
  }

  rowsOf(person: number): readonly number[] {
    return this.#rows[person];
  }

  /** The row of a person's photo; numbers beyond those are altered copies. */
  row(person: number, image: number): number {
    const own = this.#rows[person];
    const row = own[image] ?? this.#behind[person][image - own.length];
    if (row === undefined)
      throw new RangeError(`${this.ids[person]} has ${own.length} photos, and none of number ${image}`);
    return row;
  }

  /** The number among a person's pictures of one of a photo's altered copies, below `copies`. */
  copyOf(person: number, image: number, copy: number): number {
    return this.counts[person] + Number(this.altered[person]) + image * this.copies + copy;
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
    this.#places ??= this.#findPlaces();
    const place = this.#places.get(row);
    if (!place) throw new RangeError(`row ${row} is none of these people's`);
    return place;
  }

  /** Made when it is asked for: of a million rows it is the largest of all. */
  #findPlaces(): Map<number, readonly [person: number, image: number]> {
    const places = new Map<number, readonly [person: number, image: number]>();
    for (const [person, own] of this.#rows.entries()) {
      for (const [image, row] of [...own, ...this.#behind[person]].entries()) places.set(row, [person, image]);
    }
    return places;
  }

  /** 68 landmarks of some rows in pixels of the crop, 136 numbers each. */
  landmarksOf(rows: readonly number[]): Float32Array[] {
    return rows.map((row) => this.#table.index.landmarks(row));
  }

  /** Pose of a row, degrees. */
  poseOf(row: number): Pose {
    return this.#table.index.pose(row);
  }

  /** What to call a row in a message. */
  nameOf(row: number): string {
    const [person, image] = this.#place(row);
    return `${this.ids[person]}.${image}`;
  }
}

interface Rows {
  /** Of each person's photos. */
  own: readonly (readonly number[])[];
  /** Of what stands behind them: the altered copy of an only photo, then the copies of every photo. */
  behind: readonly (readonly number[])[];
  altered: readonly boolean[];
  copies: number;
}

/** Rows of each person, one after the other. */
function rowsOf({ counts, altered = [], copies = 0 }: PeopleList): Rows & { count: number } {
  let next = 0;
  const take = (count: number) => Array.from({ length: count }, () => next++);
  const rows = counts.map((count, person) => [take(count), take(Number(altered[person] ?? false) + count * copies)]);
  return {
    own: rows.map(([own]) => own),
    behind: rows.map(([, behind]) => behind),
    altered: counts.map((_, person) => altered[person] ?? false),
    copies,
    count: next,
  };
}

const sharesOf = ({ ids, shares = [{ people: ids.length, weight: 1 }] }: PeopleList) => shares;
