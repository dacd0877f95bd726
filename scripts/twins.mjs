// Compares flow bases that were trained alike and differ in their blocks alone: the error of the velocity at pictures of
// validation people, the same people, noise and times for all, with the interval of each difference over people.
// usage: node scripts/twins.mjs --data SHARDS --cache CACHE -o FILE.json NAME=RUN NAME=RUN …
//   RUN is a folder that `train base` filled; differences are to the first
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bootstrap, bootstrapDifference, provenance } from "@omni-id/data";
import { cat, noGrad, randn, scope, writeAtomically, zeros } from "@omni-id/torch";
import { flowError, noised } from "../packages/omni-id/dist/flow-base.js";
import { keyedGenerator } from "../packages/omni-id/dist/people/draws.js";
import { openPeople } from "../packages/omni-id/dist/people/open-people.js";
import { peopleTokens } from "../packages/omni-id/dist/train/people-tokens.js";
import { stagePeopleOptions } from "../packages/omni-id/dist/train/stage-people.js";
import { loadFlowBase } from "../packages/omni-id/dist/weights/flow.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { data: { type: "string" }, cache: { type: "string" }, out: { type: "string", short: "o" } },
});
const runs = positionals.map((text) => text.split("="));
if (runs.length < 2 || runs.some((parts) => parts.length !== 2) || !values.data || !values.cache || !values.out) {
  console.error("usage: node scripts/twins.mjs --data SHARDS --cache CACHE -o FILE.json NAME=RUN NAME=RUN …");
  process.exit(2);
}

const SEED = 7;
const TIMES = [0.2, 0.5, 0.8, 0.95];
/** Each picture is asked for at every time with noise drawn anew so often. */
const DRAWS = 4;
const DRAW = 31;
const AT_ONCE = 44;

const models = {};
for (const [name, run] of runs) models[name] = { run, ...(await loadFlowBase(join(run, "weights"))) };
const loaded = Object.values(models);
const [{ preset }] = loaded;
const options = stagePeopleOptions(
  { data: [values.data], cache: values.cache, preset, seed: SEED, note: (text) => console.error(text) },
  { imageSize: preset.flow.imageSize },
);
const { validation } = await openPeople(options);
const { rows } = validation;
const prompts = rows.map((row) => validation.captions[row] || preset.flow.prompt);

const report = {};
for (const [name, { base, run, metadata }] of Object.entries(models)) {
  const sums = rows.map(() => TIMES.map(() => 0));
  for (const [k, time] of TIMES.entries()) {
    for (let draw = 0; draw < DRAWS; draw++)
      for (const [i, error] of errorsAt(base, time, draw)) sums[i][k] += error / DRAWS;
  }
  const groups = (of) => {
    const people = validation.ids.map(() => []);
    for (const [i, row] of rows.entries()) people[validation.personOf(row)].push(of(sums[i]));
    return people;
  };
  const errors = Object.fromEntries(TIMES.map((time, k) => [time, groups((each) => each[k])]));
  errors.mean = groups((each) => each.reduce((sum, error) => sum + error, 0) / each.length);
  const log = readFileSync(join(run, "log.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const parameters = base.flux.parameters().reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  report[name] = { errors, parameters, steps: Math.max(...log.map(({ step }) => step)), trained: metadata.commit };
  console.error(`${name}: ${parameters} parameters`);
}
const first = report[runs[0][0]];
const told = Object.fromEntries(
  Object.entries(report).map(([name, { errors, ...rest }]) => [
    name,
    {
      ...rest,
      error: mapped(errors, (groups) => bootstrap(groups, { seed: SEED })),
      ...(errors !== first.errors && {
        difference: mapped(errors, (groups, key) => bootstrapDifference(groups, first.errors[key], { seed: SEED })),
      }),
    },
  ]),
);
const result = { ...provenance(SEED), people: validation.ids.length, pictures: rows.length, draws: DRAWS, twins: told };
await writeAtomically(values.out, `${JSON.stringify(result, null, 2)}\n`);
console.log(JSON.stringify(result, null, 2));

/** Errors of all pictures at a time, by their number. */
function errorsAt(base, time, draw) {
  return noGrad(() =>
    scope(() => {
      const errors = [];
      for (let start = 0; start < rows.length; start += AT_ONCE) {
        const some = rows.slice(start, start + AT_ONCE);
        const batch = scope(() => {
          const x = peopleTokens(base, validation, some);
          const generator = keyedGenerator(SEED, 1000 * draw + Math.round(time * 1000) + 10_000 * start, DRAW);
          const noise = randn(x.shape, { generator });
          const t = zeros([some.length]).add(time);
          const said = base.prompts.encode(some.map((row) => prompts[row]));
          return flowError(base.velocity(noised(x, noise, t), t, said), x, noise);
        });
        errors.push(batch);
      }
      return Array.from(cat(errors).toTypedArray(), (error, i) => [i, error]);
    }),
  );
}

function mapped(object, change) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value, key)]));
}
