// Makes a folder of real people for `omni-id verify`, from pictures that two npm packages carry for their own demos:
// @vladmandic/human shows, among others, one man in eighteen photos; the sample photos of @vladmandic/face-api add
// strangers. The pictures stay on this machine and belong into no repository.
// usage: node scripts/real-photos.mjs FOLDER, then: npx omni-id verify FOLDER
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assetFolder, FaceAnalyser, loadImage, saveImage, unpackPackage } from "@omni-id/face";

const out = process.argv[2];
if (!out) {
  console.error("usage: node scripts/real-photos.mjs FOLDER");
  process.exit(2);
}
const work = mkdtempSync(join(tmpdir(), "omni-id-human-"));
const spec = "@vladmandic/human@3.3.6";
console.error(`fetching ${spec} (licence: MIT)`);
unpackPackage(
  spec,
  "sha512-Nr5mPfq1gQ+uKeXY5uM3Fj8UxvF5CEh2s6txM5wRThqaW0mF9huooOuZSrT8hhGho0hGaXLFdAwfD/2+teCv6A==",
  work,
);

const faces = await FaceAnalyser.load();
const image = await loadImage(join(work, "package/assets/screenshot-facematch.jpg"));
rmSync(work, { recursive: true });
/** Tops of the rows of face tiles on the sheet, and the tiles' pitch, in pixels. */
const [ROWS, TILE, COLUMNS] = [[284, 395, 508, 619, 731, 843], 106.6, 18];
/** Row 1 shows the man whom the sheet was sorted by; rows 2 and 3 mix him with others and are left out. */
const people = [
  ...range(0, COLUMNS).map((column) => ["man", 0, column]),
  ...[3, 4, 5].flatMap((row) => range(0, COLUMNS).map((column) => [`stranger-${row}-${column}`, row, column])),
].filter(([, row, column]) => row !== 3 || column !== 1); // him again, perhaps
for (const [person, row, column] of people) {
  const tile = crop(image, Math.round(column * TILE), ROWS[row], Math.round(TILE) - 2, 106);
  mkdirSync(join(out, person), { recursive: true });
  await saveImage(join(out, person, `${row}-${column}.png`), tile);
}
const demo = join(assetFolder("@vladmandic/face-api"), "demo");
for (const file of readdirSync(demo).filter((name) => /^sample\d\.jpg$/.test(name))) {
  const photo = await loadImage(join(demo, file));
  for (const [i, { box }] of (await faces.analyse(photo)).entries()) {
    const person = join(out, `${file.slice(0, 7)}-${i}`);
    mkdirSync(person, { recursive: true });
    const margin = 0.4 * box.width;
    const [x, y] = [Math.max(0, Math.round(box.x - margin)), Math.max(0, Math.round(box.y - margin))];
    const width = Math.min(photo.width - x, Math.round(box.width + 2 * margin));
    const height = Math.min(photo.height - y, Math.round(box.height + 2 * margin));
    await saveImage(join(person, "0.png"), crop(photo, x, y, width, height));
  }
}
console.log(`${out}: now run: npx omni-id verify ${out}`);

function crop({ width, data }, x, y, w, h) {
  const part = new Uint8Array(w * h * 3);
  for (let row = 0; row < h; row++) {
    part.set(data.subarray(((y + row) * width + x) * 3, ((y + row) * width + x + w) * 3), row * w * 3);
  }
  return { width: w, height: h, data: part };
}
function range(from, to) {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
