// The tables of docs/gpu.md from results/gpu.json.
import { fixed, percent, source, table } from "./markdown.mjs";

/** A number of a part, by how its name ends. */
const numberOf = ({ findings }, end) => findings.find(({ name }) => name.endsWith(end))?.value;
const worst = ({ findings }, sign) =>
  Math.max(
    ...findings.filter(({ name, limit }) => limit !== undefined && name.includes(sign)).map(({ value }) => value),
  );
const judged = ({ findings }) => findings.filter(({ limit }) => limit !== undefined).length;
const tiny = (value) => value.toExponential(1);

export const GPU_TABLE = {
  file: "gpu.json",
  needs: ["parts"],
  command: "scripts/gpu-proof.sh gpu-proof -o results/gpu.json",
  render(report, command) {
    const { operators, parity, stages, "full size": full } = report.parts;
    const steps = ["mtd", "base", "flow", "control"].map((stage) => [
      stage,
      tiny(numberOf(stages, stages.findings.find(({ name }) => name.startsWith(`${stage}: losses`)).name)),
      `${fixed(numberOf(stages, `${stage}: a step`), 2)} s`,
      `${fixed(numberOf(stages, `${stage}: a step on the processor`), 2)} s`,
    ]);
    const { seconds, torch } = report.peer;
    const drawing = ["1", "8"].map((batch) => [
      `a step of the solver, ${batch} at once`,
      `${fixed(numberOf(full, `${batch} at once: a step of the solver`), 3)} s, ${percent(numberOf(full, `${batch} at once: share of the product rate`))}`,
      `${fixed(seconds[batch], 3)} s`,
    ]);
    return [
      table(
        ["held against", "compared", "largest difference"],
        [
          [
            "operators, forward and backward: the processor",
            `${judged(operators)}`,
            `${tiny(worst(operators, ""))} (Muon, in bfloat16)`,
          ],
          ["models in float32: golden vectors", `${judged(parity)}`, tiny(worst(parity, "float32"))],
        ],
      ),
      table(["ten steps at nano size, float32", "losses apart", "a step", `a step on its processor`], steps),
      table(
        ["FLUX.1-dev's size, bfloat16, 512 px", "here", `PyTorch ${torch}`],
        [
          [
            "a step of stage two, 4 people × 8 pictures",
            `${fixed(numberOf(full, "pictures of 512 px: a step"), 1)} s, ${percent(numberOf(full, "stage two: share of the product rate"))}`,
            "",
          ],
          ["its memory", `${fixed(numberOf(full, "memory at its peak"), 1)} GiB`, ""],
          ...drawing,
          ["a picture in 20 steps, decoded", `${fixed(numberOf(full, "a picture in 20 steps"), 1)} s`, ""],
        ],
      ),
      `${report.passed} comparisons passed, ${report.failed} failed. Shares are of the card's own bfloat16 product rate in the same run, ` +
        `${fixed(numberOf(full, "bfloat16 products"), 0)} TFLOP/s. ${report.card.split(",")[0]}, LibTorch ${report.libtorch}; measured by ` +
        `\`${command}\`: ${source(report)}.`,
    ];
  },
};
