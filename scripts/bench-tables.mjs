// The tables of `npm run bench`: what was measured in sentences, and two benchmarks of many rows.
import { fixed, percent, source, table } from "./markdown.mjs";

const COMMAND = "npm run bench";
const file = "bench.json";

const seconds = (value) => (value < 1 ? `${Math.round(1000 * value)} ms` : `${fixed(value, 2)} s`);
const gigabytes = (megabytes) => `${fixed(megabytes / 1000, 2)} GB at most`;
const against = (ratio, ours, theirs, peer) => `**${fixed(ratio, 2)}** of ${peer}'s time (${ours} against ${theirs})`;

/** How each benchmark reads; the others are listed by their keys. */
const SENTENCES = [
  [
    "pytorchSeconds",
    (r) =>
      [
        against(r.ratio, seconds(r.seconds), seconds(r.pytorchSeconds), "PyTorch"),
        ...(r.samplingRatio
          ? [
              `sampling ${against(r.samplingRatio, seconds(r.samplingSeconds), seconds(r.pytorchSamplingSeconds), "PyTorch")}`,
            ]
          : []),
        gigabytes(r.peakMB),
      ].join("; "),
  ],
  [
    "jaxSeconds",
    (r) =>
      `**${fixed(r.ratio)}** of jax-js's time (${seconds(r.seconds)} in bfloat16 against ${seconds(r.jaxSeconds)} in float32; ${fixed(r.float32Ratio)} in float32)`,
  ],
  [
    "pytorchMicroseconds",
    (r) => against(r.ratio, `${fixed(r.microseconds, 2)} µs`, `${fixed(r.pytorchMicroseconds, 2)} µs`, "PyTorch"),
  ],
  [
    "ddpSeconds",
    (r) =>
      `**${fixed(r.ratio, 2)}** of the time of PyTorch's DDP (${fixed(1000 * r.seconds, 0)} ms a step against ${fixed(1000 * r.ddpSeconds, 0)}); ${fixed(r.againstOne, 2)} of one process on the same cores (DDP ${fixed(r.ddpAgainstOne, 2)}); ${percent(r.hidden)} of the exchange hidden behind backward`,
  ],
  [
    "streamedPerSecond",
    (r) =>
      `**${percent(r.share)}** of plain decoding on ${r.cores} cores (${fixed(r.streamedPerSecond, 0)} pictures of ${r.side} px a second), ${percent(r.shareOfOneCore)} on one; **${fixed(r.growth, 2)}** times as many on ${r.cores} cores as on one (plain decoding ${fixed(r.plainGrowth, 2)})`,
  ],
  [
    "bfloat16Share",
    (r) =>
      `**${percent(r.share)}** of the machine's matrix-product rate in float32, **${percent(r.bfloat16Share)}** in bfloat16; ${gigabytes(r.peakMB)}`,
  ],
  [
    "share",
    (r) =>
      `**${percent(r.share)}** of the machine's matrix-product rate (${r.precision}, ${seconds(r.seconds)}); ${gigabytes(r.peakMB)}${r.tiledMB ? `, in tiles ${gigabytes(r.tiledMB)}` : ""}`,
  ],
  [
    "checkpointedSeconds",
    (r) =>
      `**${fixed(r.ratio, 2)}** of the memory of activations, ${fixed(r.checkpointedSeconds / r.seconds, 2)} of the time`,
  ],
  [
    "imagesPerSecond",
    (r) =>
      Object.entries(r.imagesPerSecond)
        .map(([size, rate]) => `**${fixed(rate, 1)}** pictures a second at ${size} px`)
        .join(", "),
  ],
  [
    "framesPerSecond",
    (r) =>
      `**${fixed(r.framesPerSecond, 1)}** frames a second; milliseconds a frame: ${Object.entries(r.millisecondsAFrame)
        .map(([stage, spent]) => `${stage} ${spent}`)
        .join(", ")}`,
  ],
  ["peakMBOfOneMinute", (r) => `${r.peakMB} MB, **${fixed(r.ratio, 2)}** of what one minute takes`],
  [
    "timesFaster",
    (r) =>
      `**${fixed(r.timesFaster, 1)}** times as fast (${fixed(r.milliseconds, 0)} ms a frame against ${fixed(r.faceApiMilliseconds, 0)}); of ${r.faces} faces ${percent(r.recall)} found against ${percent(r.faceApiRecall)}`,
  ],
  ["milliseconds", (r) => `**${fixed(r.milliseconds, 0)} ms**; ${gigabytes(r.peakMB)}`], // after those that have it too
];

function sentence(result) {
  const [, tell] = SENTENCES.find(([key]) => key in result) ?? [];
  if (tell) return tell(result);
  return Object.entries(result)
    .map(([key, value]) => `${key} ${typeof value === "number" ? Number(value.toPrecision(3)) : JSON.stringify(value)}`)
    .join(", ");
}

/** Where and when one of them was measured: each keeps its own, for one run seldom measures all. */
function where(report, name) {
  const { commit = report.commit, hardware = report.hardware, date = report.date } = report.results[name] ?? {};
  return { commit, hardware, date };
}

const measured = (report, name) => `Measured by \`${COMMAND}\`: ${source(where(report, name))}.`;

/** A table of a benchmark's own rows. */
const rowsOf = (name, head, row) => ({
  file,
  command: `${COMMAND} -- "${name}"`,
  render: (report) => [table(head, report.results[name].rows.map(row)), measured(report, name)],
});

export const BENCH_TABLES = {
  bench: {
    file,
    command: COMMAND,
    render(report) {
      const shown = Object.entries(report.results).filter(([, { rows }]) => !rows);
      const places = shown.map(([name]) => where(report, name));
      const hosts = [...new Set(places.map(({ hardware }) => hardware))];
      const several = hosts.length > 1;
      const rows = shown.map(
        ([name, { goal = "", skipped, note, commit, hardware, date, libtorch, pytorch, ...values }], i) => [
          name,
          skipped ? `not run: ${skipped.split("\n")[0]}` : sentence(values),
          goal,
          ...(several ? [places[i].hardware] : []),
          `\`${places[i].commit.slice(0, 7)}\``,
        ],
      );
      const last = places.map((place) => place.date).sort();
      return [
        table(["benchmark", "result", "goal", ...(several ? ["on"] : []), "at"], rows),
        `Measured by \`${COMMAND}\`: ${several ? "" : `${hosts[0]}, `}LibTorch ${report.libtorch}, last on ${last[last.length - 1]}; \`at\` is the commit of each.`,
      ];
    },
  },
  kernels: rowsOf(
    "fused kernels",
    ["fused kernel", "precision", "time over the plain composition's ↓"],
    ({ name, precision, ratio }) => [name, precision, fixed(ratio, 2)],
  ),
  solvers: rowsOf(
    "solvers, by evaluations",
    ["evaluations of the model", "Euler ↓", "DPM-Solver++(2M) ↓", "Heun ↓"],
    ({ evaluations, euler, dpm, heun }) => [`${evaluations}`, ...[euler, dpm, heun].map((error) => fixed(error, 4))],
  ),
};
