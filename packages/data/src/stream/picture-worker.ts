import { parentPort } from "node:worker_threads";
import sharp from "sharp";
import type { LoadAnswer, LoadJob, PictureEntry } from "./picture-loader.ts";
import { type Origin, Place } from "./place.ts";

/** Pictures that are read and decoded at once: the system's own threads do both. */
const AT_ONCE = 8;

// Small pictures: more threads for one of them would only wait for each other.
sharp.concurrency(1);
sharp.cache(false);

const places = new Map<string, Place>();

function placeOf(origin: Origin): Place {
  const key = origin.url ?? origin.folder;
  const known = places.get(key) ?? new Place(origin);
  places.set(key, known);
  return known;
}

async function load({ origin, entries, side, mask }: LoadJob): Promise<Uint8Array> {
  const place = placeOf(origin);
  const each = side * side * (mask ? 1 : 3);
  const all = new Uint8Array(entries.length * each);
  let next = 0;
  const work = async () => {
    while (next < entries.length) {
      const at = next++;
      all.set(await decode(place, entries[at], side, mask), at * each);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, entries.length) }, work));
  return all;
}

async function decode(place: Place, { shard, offset, size }: PictureEntry, side: number, mask: boolean) {
  const bytes = await place.range(shard, offset, size);
  const where = `${place.origin.url ?? place.origin.folder}/${shard}, byte ${offset}`;
  const picture = sharp(bytes, { failOn: "error" });
  const { data, info } = await (mask ? picture.toColourspace("b-w") : picture.toColourspace("srgb"))
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true })
    .catch((error: Error) => {
      throw new Error(
        `${where}: no picture (${error.message.trim().split("\n")[0]}); the shard is damaged: prepare or fetch it again`,
      );
    });
  const channels = mask ? 1 : 3;
  if (info.width !== side || info.height !== side || info.channels !== channels) {
    throw new Error(
      `${where}: ${info.width}×${info.height} pixels of ${info.channels} bytes, expected ${side}×${side} of ${channels}; prepare the shard again`,
    );
  }
  return mask ? data.map((byte) => Number(byte > 127)) : data;
}

/** In the order in which they were asked for. */
let before: Promise<void> = Promise.resolve();
parentPort?.on("message", (job: LoadJob) => {
  before = before.then(async () => {
    const { number } = job;
    try {
      const bytes = await load(job);
      parentPort?.postMessage({ number, bytes } satisfies LoadAnswer, [bytes.buffer as ArrayBuffer]);
    } catch (error) {
      parentPort?.postMessage({ number, error: (error as Error).message } satisfies LoadAnswer);
    }
  });
});
