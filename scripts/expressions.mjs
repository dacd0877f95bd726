// Measures how each expression moves the 68 landmarks of the mean face, on rendered people, and writes the table that
// poses with an expression are drawn by: packages/omni-id/src/pictures/expressions.generated.ts.
// usage: node scripts/expressions.mjs [--people 40]
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { KeyedRandom } from "../packages/data/dist/random.js";
import { EXPRESSIONS } from "../packages/data/dist/synth/expressions.js";
import { drawPerson } from "../packages/data/dist/synth/person.js";
import { Portrait } from "../packages/data/dist/synth/render.js";
import { drawView } from "../packages/data/dist/synth/view.js";
import { fitMeanFace } from "../packages/omni-id/dist/pictures/mean-face.js";

const { values } = parseArgs({ options: { people: { type: "string", default: "40" } } });
const people = Number(values.people);
/** The shipped weights' people have another seed. */
const SEED = 68;
const SIZE = 32;
const VIEWS = 5;
/** What no expression moves: corners of the eyes, bridge and tip of the nose. */
const STILL = [27, 28, 29, 30, 33, 36, 39, 42, 45];

const names = Object.keys(EXPRESSIONS);
const views = Object.fromEntries(names.map((name) => [name, []]));
for (let i = 0; i < people; i++) {
  const person = drawPerson(SEED, i);
  const portrait = await Portrait.create(person, { size: SIZE });
  for (const [e, expression] of names.entries()) {
    for (let v = 0; v < VIEWS; v++) {
      const view = drawView(person, v);
      const units = EXPRESSIONS[expression].draw(new KeyedRandom(SEED, i, v, e));
      const { landmarks, pose } = portrait.render({ ...view, expression, units, fov: 10 }, SIZE);
      views[expression].push({ landmarks, pose });
    }
  }
  process.stderr.write(`\r${i + 1} of ${people} people`);
}
process.stderr.write("\n");

const unit = (points) => {
  const mid = (...at) => [0, 1, 2].map((k) => at.reduce((sum, p) => sum + points[3 * p + k], 0) / at.length);
  const [eyes, mouth] = [mid(36, 39, 42, 45), mid(48, 54)];
  return { eyes, length: Math.hypot(...eyes.map((value, k) => value - mouth[k])) };
};
const neutral = fitMeanFace(views.neutral);
const { length } = unit(neutral);

/** Moves points in space onto the neutral face where no expression moves them: scale and shift; the poses are known. */
const onto = (points) => {
  const mean = (p) => [0, 1, 2].map((k) => STILL.reduce((sum, i) => sum + p[3 * i + k], 0) / STILL.length);
  const [a, b] = [mean(points), mean(neutral)];
  let [dot, square] = [0, 0];
  for (const i of STILL) {
    for (let k = 0; k < 3; k++) {
      dot += (points[3 * i + k] - a[k]) * (neutral[3 * i + k] - b[k]);
      square += (points[3 * i + k] - a[k]) ** 2;
    }
  }
  return points.map((value, j) => ((value - a[j % 3]) * dot) / square + b[j % 3]);
};

const rows = names
  .filter((name) => name !== "neutral")
  .map((name) => {
    const moved = onto(fitMeanFace(views[name]));
    const offsets = Array.from(moved, (value, j) => Math.round((1000 * (value - neutral[j])) / length));
    return `  ${JSON.stringify(name)}: [${offsets.join(", ")}],`;
  });
writeFileSync(
  new URL("../packages/omni-id/src/pictures/expressions.generated.ts", import.meta.url),
  `// Written by scripts/expressions.mjs --people ${people}; do not edit.
/** How expressions move the mean face's 68 landmarks: x, y, z in thousandths of the distance from eyes to mouth. */
export const EXPRESSION_OFFSETS = {
${rows.join("\n")}
} as const satisfies Readonly<Record<string, readonly number[]>>;
`,
);
