import { Keeper, type Origin, type PictureEntry, PictureLoader, type PreparedSet } from "@omni-id/data";
import type { Pose } from "@omni-id/face";
import { cat, defaultDevice, fromTypedArray, onDevice, op, scope, type Tensor, tensor } from "@omni-id/torch";
import { toUnit } from "../pictures/rgb-batch.ts";
import type { FetchedPictures, PictureRows, PictureSource } from "./picture-source.ts";
import type { PeopleIndex } from "./prepared-pictures.ts";

/** What decodes and keeps the pictures of streamed people: one for all of a process. */
export interface StreamTools {
  loader: PictureLoader;
  keeper: Keeper;
  /** Which of the shards that lie elsewhere this process brings here: those of its number among the machine's processes. */
  keeps: { rank: number; count: number };
}

export interface StreamOptions {
  /** Threads that read and decode. */
  workers: number;
  /** Bytes that shards from elsewhere may take on this machine. */
  keep: number;
  /** This process's number among those of the machine. */
  keeps?: StreamTools["keeps"];
}

export function streamTools({ workers, keep, keeps = { rank: 0, count: 1 } }: StreamOptions): StreamTools {
  return { loader: new PictureLoader(workers), keeper: new Keeper(keep), keeps };
}

/** Where a row lies: in which of the joined sets, and which row it is there. */
export interface StreamedRows {
  sets: readonly PreparedSet[];
  /** Set of each row, and its row there. */
  set: Uint8Array;
  row: Int32Array;
}

/** What is known of the rows of prepared sets, and where their pictures come from. */
export class StreamedPictures implements PictureSource, PeopleIndex {
  readonly captions: readonly string[];
  readonly #rows: StreamedRows;
  readonly #tools: StreamTools;
  /** Side of the decoders' pictures, and of the backbone's. */
  readonly #sides: { crops: number; maps: number };

  /** @throws when a set was not prepared at these sizes */
  constructor(rows: StreamedRows, sides: { crops: number; maps: number }, tools: StreamTools) {
    for (const set of rows.sets) set.checkSizes(sides.crops, sides.maps);
    this.#rows = rows;
    this.#sides = sides;
    this.#tools = tools;
    this.captions = Array.from(rows.row, (_, row) => this.#in(row, (set, own) => set.caption(own)));
  }

  landmarks(row: number): Float32Array {
    const { crops } = this.#sides;
    return this.#in(row, (set, own) => set.landmarks(own).map((value) => value * crops));
  }

  pose(row: number): Pose {
    return this.#in(row, (set, own) => set.pose(own));
  }

  faceTokens(patchSize: number): (row: number) => Uint8Array {
    for (const { place, manifest } of this.#rows.sets) {
      const { size, patch } = manifest.face;
      if (size !== this.#sides.crops || patch !== patchSize) {
        throw new Error(
          `${place}: prepared for patches of ${patch} px in pictures of ${size}, and the preset has ${patchSize} px in ${this.#sides.crops}; prepare it for this preset (omni-id data prepare)`,
        );
      }
    }
    return (row) => this.#in(row, (set, own) => set.face(own));
  }

  async fetch({ crops = [], masks = [], maps = [] }: PictureRows): Promise<Fetched> {
    const { crops: side, maps: input } = this.#sides;
    const same = side === input; // then a crop is the backbone's picture too
    const [pictures, shown, seen] = await Promise.all([
      this.#load(same ? [...crops, ...maps] : crops, { side }),
      this.#load(masks, { side, mask: true }),
      same ? undefined : this.#load(maps, { side: input }),
    ]);
    return new Fetched(pictures, shown, seen ?? pictures);
  }

  /** Each row once, whatever stands in the list. */
  async #load(list: readonly number[], how: { side: number; mask?: boolean }): Promise<Rows> {
    const rows = [...new Set(list)];
    const places = new Map(rows.map((row, place) => [row, place]));
    const parts: Promise<Uint8Array[]>[] = [];
    const order: number[] = [];
    // Each set has an origin of its own.
    for (const [number, { origin }] of this.#rows.sets.entries()) {
      const own = rows.filter((row) => this.#rows.set[row] === number);
      if (own.length === 0) continue;
      order.push(...own);
      parts.push(this.#tools.loader.load(origin, this.#entries(own, how, origin), how));
    }
    const bytes = (await Promise.all(parts)).flat();
    if (bytes.length === 0) return { places, all: undefined };
    const { side, mask } = how;
    const shape = mask ? [-1, side, side] : [-1, side, side, 3];
    const all = scope(() => {
      const joined = onDevice("cpu", () =>
        cat(bytes.map((part) => fromTypedArray(part, [part.length], { copy: false, dtype: "uint8" }))),
      );
      const placed = toDevice(joined).view(shape);
      return mask ? placed : placed.permute([0, 3, 1, 2]).contiguous();
    });
    for (const [place, row] of order.entries()) places.set(row, place);
    return { places, all };
  }

  #entries(rows: readonly number[], { side, mask }: { side: number; mask?: boolean }, origin: Origin): PictureEntry[] {
    const { rank, count } = this.#tools.keeps;
    return rows.map((row) =>
      this.#in(row, (set, own) => {
        const entry = set.entry(own, side, mask ? "mask" : "crop");
        if (origin.url !== undefined && shardNumber(entry.shard) % count === rank) {
          this.#tools.keeper.want({ origin, name: entry.shard, sha256: set.hash(own, side) });
        }
        return entry;
      }),
    );
  }

  #in<T>(row: number, of: (set: PreparedSet, row: number) => T): T {
    return of(this.#rows.sets[this.#rows.set[row]], this.#rows.row[row]);
  }
}

const shardNumber = (shard: string) => Number(/(\d+)\.tar$/.exec(shard)?.[1] ?? 0);

/** To a card through pinned memory, from which it copies while the processor goes on. */
function toDevice(bytes: Tensor): Tensor {
  const device = defaultDevice();
  return device.startsWith("cuda") ? pinned(bytes).to({ device, nonBlocking: true }) : bytes.to(device);
}

const pinned = (bytes: Tensor): Tensor => op("aten::pin_memory")(bytes) as Tensor;

/** Some rows as a tensor, and where each stands in it. */
interface Rows {
  places: ReadonlyMap<number, number>;
  all: Tensor | undefined;
}

class Fetched implements FetchedPictures {
  readonly #crops: Rows;
  readonly #masks: Rows;
  readonly #seen: Rows;

  constructor(crops: Rows, masks: Rows, seen: Rows) {
    this.#crops = crops;
    this.#masks = masks;
    this.#seen = seen;
  }

  cropsOf(rows: readonly number[]): Tensor {
    return pick(this.#crops, rows);
  }
  masksOf(rows: readonly number[]): Tensor {
    return pick(this.#masks, rows);
  }
  maps(rows: readonly number[]): Tensor {
    return scope(() => toUnit(this.photosOf(rows)));
  }
  /** What {@link maps} are made of, as bytes. */
  photosOf(rows: readonly number[]): Tensor {
    return pick(this.#seen, rows);
  }

  [Symbol.dispose](): void {
    for (const { all } of new Set([this.#crops, this.#masks, this.#seen])) all?.dispose();
  }
}

function pick({ places, all }: Rows, rows: readonly number[]): Tensor {
  const wanted = rows.map((row) => {
    const place = places.get(row);
    if (place === undefined) throw new RangeError(`the picture of row ${row} was not fetched`);
    return place;
  });
  if (!all) throw new RangeError("no pictures were fetched");
  return scope(() => all.indexSelect(0, tensor(wanted, { dtype: "int64" })));
}
