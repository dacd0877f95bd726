// The table of docs/bases.md on two flow models trained alike, from results/twins.json.
import { fixed, interval, signed, source, table } from "./markdown.mjs";

export const TWINS_TABLE = {
  file: "twins.json",
  command:
    "node scripts/twins.mjs --data data/synth --cache CACHE -o results/twins.json FLUX.1=runs/twin-flux FLUX.2=runs/twin-klein",
  render(report, command) {
    const [[first, base], [second, other]] = Object.entries(report.twins);
    const million = ({ parameters }) => `${fixed(parameters / 1e6, 2)} million`;
    const rows = Object.keys(base.error).map((time) => [
      time === "mean" ? "mean of the four" : `t = ${time}`,
      interval(base.error[time]),
      interval(other.error[time]),
      signed(other.difference[time], { digits: 4 }),
    ]);
    return [
      table(
        ["error of the velocity ↓", `${first}, ${million(base)}`, `${second}, ${million(other)}`, "difference, paired"],
        rows,
      ),
      `After ${base.steps} steps each at the same seed, people and noise; ${report.pictures} pictures of ${report.people} ` +
        `validation people, told in words, ${report.draws} draws of noise each, means with 95 % intervals over people. ` +
        `Trained at commit ${base.trained}. Measured by \`${command}\`: ${source(report, report.seed)}.`,
    ];
  },
};
