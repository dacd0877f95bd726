// Streamed pictures: what the loader's threads deliver while the thread that asks is busy, and what plain decoding of the
// same JPEGs by sharp does on the same cores. → one JSON line
// usage: loader.mjs make FOLDER          writes a prepared shard
//        loader.mjs plain FOLDER CORES   pictures a second, bytes in memory
//        loader.mjs stream FOLDER CORES  pictures a second, from the shard, in steps of 128 of which three are on their way
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { KeyedRandom, PictureLoader, Place, PreparedSet, writeManifest, writePreparedShard } from "@omni-id/data";
import sharp from "sharp";

const [mode, folder, cores] = process.argv.slice(2);
const [SIDE, PEOPLE, PICTURES, STEP, SECONDS] = [224, 64, 8, 128, 6];
const run = { make, plain, stream }[mode];
if (!run) throw new Error(`no mode "${mode}"`);
console.log(JSON.stringify(await run()));

/** Cut-outs of a sheet of rendered faces. */
async function make() {
  const sheet = fileURLToPath(new URL("../docs/generated.png", import.meta.url));
  const { width, height } = await sharp(sheet).metadata();
  const random = new KeyedRandom(5);
  const mask = await sharp({ create: { width: SIDE, height: SIDE, channels: 3, background: "#fff" } })
    .png()
    .toBuffer();
  const picture = async () => {
    const [left, top] = [random.below(width - SIDE), random.below(height - SIDE)];
    const cut = sharp(sheet).extract({ left, top, width: SIDE, height: SIDE }).flatten();
    const crop = await cut.jpeg({ quality: 95, chromaSubsampling: "4:4:4" }).toBuffer();
    const files = { [SIDE]: { crop, mask } };
    return { files, landmarks: new Float32Array(136), pose: [0, 0, 0], caption: "", face: new Uint8Array(256) };
  };
  const people = [];
  for (let i = 0; i < PEOPLE; i++) {
    const pictures = [];
    for (let k = 0; k < PICTURES; k++) pictures.push(await picture());
    people.push({ id: `person-${i}`, pictures, altered: false });
  }
  await writePreparedShard(folder, 0, people, { sizes: [SIDE] });
  writeManifest(folder, {
    ...{ version: 1, source: "bench", people: PEOPLE, shards: 1, perShard: PEOPLE, sizes: [SIDE] },
    ...{ face: { size: SIDE, patch: 14 }, faceMask: "segmentation", altered: false, quality: 95 },
    split: { validation: [], test: [] },
  });
  return { pictures: PEOPLE * PICTURES };
}

async function entries() {
  const set = await PreparedSet.open(folder, { cache: join(folder, "cache") });
  return { set, all: Array.from({ length: set.rows }, (_, row) => set.entry(row, SIDE, "crop")) };
}

async function plain() {
  const { set, all } = await entries();
  const place = new Place(set.origin);
  const bytes = await Promise.all(all.map(({ shard, offset, size }) => place.range(shard, offset, size)));
  sharp.concurrency(1);
  sharp.cache(false);
  let [done, next] = [0, 0];
  const end = performance.now() + SECONDS * 1000;
  const began = performance.now();
  const work = async () => {
    while (performance.now() < end) {
      await sharp(bytes[next++ % bytes.length])
        .raw()
        .toBuffer();
      done++;
    }
  };
  await Promise.all(Array.from({ length: 2 * Number(cores) }, work));
  await place.close();
  return { perSecond: (1000 * done) / (performance.now() - began) };
}

async function stream() {
  const { set, all } = await entries();
  const loader = new PictureLoader(Number(cores));
  const random = new KeyedRandom(6);
  const ask = () => {
    const rows = Array.from({ length: STEP }, () => all[random.below(all.length)]);
    return loader.load(set.origin, rows, { side: SIDE });
  };
  await ask(); // the threads start
  const coming = [ask(), ask(), ask()];
  let done = 0;
  const began = performance.now();
  while (performance.now() - began < SECONDS * 1000) {
    await coming.shift();
    coming.push(ask());
    done += STEP;
  }
  const perSecond = (1000 * done) / (performance.now() - began);
  await Promise.allSettled(coming);
  await loader.close();
  return { perSecond };
}
