// Measures what a face must be like to tell who it is: each person's second photo is spoiled in many ways, and compared
// with their first and with the next person's. Prints how many are found, refused and warned of, and how well those
// that are accepted, and those that are refused, tell people apart.
// usage: node scripts/usable-faces.mjs FOLDER [-n PEOPLE] [-o FILE.json]     FOLDER holds one folder of photos a person
// No picture leaves the folder; the JSON holds counts and figures alone.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { provenance, rocAuc } from "@omni-id/data";
import { FaceAnalyser, faultOf, loadImage, toSharp } from "@omni-id/face";
import { writeAtomically } from "@omni-id/torch";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { people: { type: "string", short: "n", default: "100" }, out: { type: "string", short: "o" } },
});
const [folder] = positionals;
if (!folder) {
  console.error("usage: node scripts/usable-faces.mjs FOLDER [-n PEOPLE] [-o FILE.json]");
  process.exit(2);
}

const analyser = await FaceAnalyser.load({ threads: 1 });
const photosOf = (person) =>
  readdirSync(join(folder, person))
    .sort()
    .map((name) => join(folder, person, name));
const several = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && photosOf(entry.name).length > 1)
  .map(({ name }) => name)
  .sort();
const stride = Math.max(1, Math.floor(several.length / Number(values.people)));
const people = several.filter((_, i) => i % stride === 0).slice(0, Number(values.people));

const references = [];
for (const person of people) references.push((await analyser.analyse(await loadImage(photosOf(person)[0])))[0]);

const rows = {};
for (const [i, person] of people.entries()) {
  const photo = await loadImage(photosOf(person)[1]);
  const [face] = await analyser.analyse(photo);
  const [own, other] = [references[i], references[(i + 1) % people.length]];
  if (!face || !own || !other || face.turn !== 0) continue;
  for (const [name, spoil] of Object.entries(spoilers(photo, face))) {
    const image = await spoil();
    const [found] = await analyser.analyse(image);
    const row = { found: found !== undefined };
    if (found) {
      const fault = faultOf(image, found);
      row.verdict = fault?.severity ?? "accept";
      row.fault = fault?.fault;
      row.own = dot(found.feature, own.feature);
      row.other = dot(found.feature, other.feature);
      row.clarity = found.clarity;
      row.turn = found.turn;
    }
    rows[name] = [...(rows[name] ?? []), row];
  }
  console.error(`${i + 1} of ${people.length} people`);
}

const report = Object.fromEntries(Object.entries(rows).map(([name, some]) => [name, summary(some)]));
const lines = [
  "| photos | found | refused | warned of | cosine's ROC AUC of those accepted | of those refused | faults told |",
  "| --- | --- | --- | --- | --- | --- | --- |",
  ...Object.entries(report).map(([name, { found, refused, warned, auc, faults }]) => {
    const told = Object.entries(faults).map(([fault, count]) => `${fault} ${count}`);
    return `| ${[name, percent(found), percent(refused), percent(warned), figure(auc.accepted), figure(auc.refused), told.join(", ")].join(" | ")} |`;
  }),
];
console.log(lines.join("\n"));
const { seed: _, ...machine } = provenance(0); // nothing is drawn by chance
console.log(
  `\n${rows["as it is"]?.length ?? 0} people; commit ${machine.commit}, ${machine.date}, ${machine.hardware}`,
);
if (values.out) {
  const people = rows["as it is"]?.length ?? 0;
  writeAtomically(values.out, `${JSON.stringify({ ...machine, people, spoiled: report }, null, 2)}\n`);
}

function summary(some) {
  const found = some.filter((row) => row.found);
  const refused = found.filter(({ verdict }) => verdict === "refuse");
  const accepted = found.filter(({ verdict }) => verdict !== "refuse");
  const auc = (part) =>
    part.length > 4
      ? rocAuc(
          part.map(({ own }) => own),
          part.map(({ other }) => other),
        )
      : null;
  const faults = {};
  for (const { fault } of found) if (fault) faults[fault] = (faults[fault] ?? 0) + 1;
  const clarity = found.map((row) => row.clarity).sort((a, b) => a - b);
  return {
    found: found.length / some.length,
    refused: (refused.length + some.length - found.length) / some.length,
    warned: found.filter(({ verdict }) => verdict === "warn").length / some.length,
    turned: found.filter(({ turn }) => turn !== 0).length / some.length,
    clarity: [0.05, 0.5, 0.95].map((share) => clarity[Math.floor(share * (clarity.length - 1))] ?? null),
    auc: { accepted: auc(accepted), refused: auc(refused) },
    faults,
  };
}

/** Ways to spoil a photo; sizes are shares of the face's width, so that photos of any size are spoiled alike. */
function spoilers(photo, face) {
  const { box, size } = face;
  const side = box.width;
  const values = (change) => async () => ({
    ...photo,
    data: Uint8Array.from(photo.data, (v, i) => clamp(change(v, i))),
  });
  const cover = (x, y, w, h, colour) => async () => {
    const data = new Uint8Array(photo.data);
    const [left, top] = [Math.max(0, Math.round(box.x + x * side)), Math.max(0, Math.round(box.y + y * side))];
    const right = Math.min(photo.width, box.x + (x + w) * side);
    const bottom = Math.min(photo.height, box.y + (y + h) * side);
    for (let v = top; v < bottom; v++) for (let u = left; u < right; u++) data.set(colour, 3 * (v * photo.width + u));
    return { ...photo, data };
  };
  const cut = (left, top, right, bottom) => async () => {
    const [x, y] = [Math.max(0, Math.round(left)), Math.max(0, Math.round(top))];
    const [width, height] = [
      Math.min(photo.width, Math.round(right)) - x,
      Math.min(photo.height, Math.round(bottom)) - y,
    ];
    return raw(toSharp(photo).extract({ left: x, top: y, width, height }));
  };
  const { width, height } = photo;
  const all = { "as it is": async () => photo };
  for (const share of [0.025, 0.05, 0.075, 0.1, 0.15]) {
    all[`blurred, σ ${percent(share, 1)} of the face`] = () => raw(toSharp(photo).blur(share * size));
  }
  for (const light of [0.3, 0.15, 0.08, 0.04]) all[`darkened to ${percent(light)}`] = values((v) => v * light);
  for (const light of [2, 3, 5]) all[`${light} times the light`] = values((v) => v * light);
  const noise = normal(1);
  for (const sigma of [20, 40, 80]) all[`noise, σ ${sigma} of 255`] = values((v) => v + sigma * noise());
  for (const wide of [64, 32, 24, 16]) {
    const scale = wide / size;
    all[`face ${wide} px wide`] = () =>
      raw(toSharp(photo).resize(Math.round(width * scale), Math.round(height * scale)));
  }
  all["eyes covered"] = cover(-0.05, 0.12, 1.1, 0.28, [20, 20, 20]);
  all["mouth and nose covered"] = cover(-0.2, 0.55, 1.4, 0.6, [70, 80, 110]);
  all["one half covered"] = cover(0.5, -0.3, 0.8, 1.6, [90, 70, 60]);
  all["covered but for the rim"] = cover(0.1, 0.1, 0.8, 0.9, [120, 100, 90]);
  all.covered = cover(-0.1, -0.1, 1.2, 1.2, [120, 100, 90]);
  for (const share of [0.2, 0.35, 0.5, 0.65]) {
    all[`${percent(share)} cut off at the side`] = cut(box.x + share * side, 0, width, height);
    all[`${percent(share)} cut off at the chin`] = cut(0, 0, width, box.y + (1 - share) * side);
    all[`${percent(share)} cut off at the forehead`] = cut(0, box.y + share * side, width, height);
  }
  for (const turn of [20, 45, 60, 90, 135, 180, 270]) {
    all[`turned by ${turn}°`] = () => raw(toSharp(photo).rotate(turn, { background: "#808080" }));
  }
  return all;
}

async function raw(picture) {
  const { data, info } = await picture.raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data: new Uint8Array(data.buffer, data.byteOffset, data.length) };
}

/** The same numbers in every run (sum of four uniform ones). */
function normal(seed) {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return () => Math.sqrt(3) * (uniform() + uniform() + uniform() + uniform() - 2);
}

function clamp(value) {
  return Math.max(0, Math.min(255, Math.round(value)));
}
function dot(a, b) {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}
function percent(share, digits = 0) {
  return `${(100 * share).toFixed(digits)} %`;
}
function figure(value) {
  return value === null ? "–" : value.toFixed(3);
}
