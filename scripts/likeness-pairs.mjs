// How alike the recogniser finds photos of one person and of two: what the limits of `data import` (sameFace) and of
// `encode` (whose face is meant) rest on. The largest face of each photo counts; nothing is left out but photos without one.
// usage: node scripts/likeness-pairs.mjs FOLDER [-n PEOPLE] [-o FILE.json]     FOLDER holds one folder of photos a person
// No picture leaves the folder; the JSON holds counts and figures alone.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { provenance } from "@omni-id/data";
import { FaceAnalyser, loadImage } from "@omni-id/face";
import { writeAtomically } from "@omni-id/torch";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { people: { type: "string", short: "n", default: "100" }, out: { type: "string", short: "o" } },
});
const [folder] = positionals;
if (!folder) {
  console.error("usage: node scripts/likeness-pairs.mjs FOLDER [-n PEOPLE] [-o FILE.json]");
  process.exit(2);
}

const names = readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
);
const people = names.sort().slice(0, Number(values.people));
const analyser = await FaceAnalyser.load({ threads: 1 });
const features = [];
for (const person of people) {
  const own = [];
  for (const name of readdirSync(join(folder, person)).sort()) {
    const [face] = await analyser.analyse(await loadImage(join(folder, person, name)));
    if (face) own.push(face.feature);
  }
  features.push(own);
  console.error(`${features.length} of ${people.length} people`);
}

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const [same, other] = [[], []];
for (const [i, own] of features.entries()) {
  for (const [k, feature] of own.entries()) {
    for (const twin of own.slice(k + 1)) same.push(dot(feature, twin));
    for (const strangers of features.slice(i + 1)) for (const stranger of strangers) other.push(dot(feature, stranger));
  }
}
for (const list of [same, other]) list.sort((a, b) => a - b);
const at = (list, share) => list[Math.min(list.length - 1, Math.floor(share * list.length))];
const report = {
  ...provenance(0),
  people: people.length,
  photos: features.flat().length,
  same: { pairs: same.length, p01: at(same, 0.01), p05: at(same, 0.05), median: at(same, 0.5) },
  other: {
    pairs: other.length,
    median: at(other, 0.5),
    p99: at(other, 0.99),
    p999: at(other, 0.999),
    most: other.at(-1),
  },
};
console.log(JSON.stringify(report, null, 2));
if (values.out) await writeAtomically(values.out, `${JSON.stringify(report, null, 2)}\n`);
