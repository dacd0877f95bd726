import { shellWord } from "../../train/commands.ts";
import type { TableResult } from "../results.ts";
import { TABLES } from "../tables/index.ts";

/** The commands that measure a table again, from nothing. */
export function againOf(result: TableResult): string[] {
  const { table, data, web, seeds, steps, guidance, device, precision, set = [] } = result;
  const measured = Object.keys(result.arms);
  const { arms } = TABLES[table];
  const wanted = [...measured, ...result.missing.map((line) => line.split(":")[0])];
  const whole = Object.keys(arms).every((arm) => wanted.includes(arm));
  const reproduce = [
    `omni-id reproduce ${table}`,
    ...(whole ? [] : [`--arms ${measured.join(" ")}`]),
    ...(web ? ["--web data/web"] : []),
    `--seeds ${seeds} --steps-mtd ${steps.mtd} --steps-flow ${steps.flow}`,
    ...(measured.some((arm) => result.arms[arm].poseError) ? [`--steps-downstream ${steps.downstream}`] : []),
    ...(guidance === undefined ? [] : [`--guidance ${guidance}`]),
    ...(device === "cpu" ? [] : [`--device ${device}`]),
    `--precision ${precision}`,
    ...(set.length > 0 ? [`--set ${set.map(shellWord).join(" ")}`] : []),
  ].join(" ");
  const commands = [
    ...(data ? [`${data} -o data/synth`] : []),
    ...(web ? [`${web} -o data/web`] : []),
    ...(measured.some((arm) => arms[arm]?.clip) ? ["omni-id train clip"] : []),
    reproduce,
  ];
  return commands.map((command) => `npx ${command}`);
}
