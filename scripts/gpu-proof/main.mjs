// The proof's command line: what a device computes, held against the processor. See scripts/gpu-proof.sh.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { PARTS, prove } from "../../packages/omni-id/dist/proof/proof.js";

const { values } = parseArgs({
  options: {
    device: { type: "string", default: "cuda" },
    golden: { type: "string", default: "packages/omni-id/test/fixtures" },
    parts: { type: "string", default: Object.keys(PARTS).join(",") },
    steps: { type: "string", default: "10" },
    small: { type: "boolean", default: false },
    card: { type: "string", default: "" },
    commit: { type: "string" },
    peer: { type: "string" },
    out: { type: "string", short: "o" },
  },
});
const wanted = values.parts.split(",");
const unknown = wanted.find((name) => !(name in PARTS));
if (unknown !== undefined) {
  console.error(`--parts ${unknown}: there are ${Object.keys(PARTS).join(", ")}`);
  process.exit(2);
}
const { device, golden, out: file, card, commit } = values;
const context = {
  device,
  golden,
  steps: Number(values.steps),
  full: !values.small,
  note: (text) => console.log(text),
};
const { passed, failed } = prove(Object.fromEntries(wanted.map((name) => [name, PARTS[name]])), context, {
  file,
  card,
  commit,
  peer: values.peer && JSON.parse(readFileSync(values.peer, "utf8")),
});
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
