import { gigabytes } from "./advice.ts";
import type { PlannedMemory } from "./need.ts";
import type { Plan } from "./plan.ts";
import type { PlannedStage } from "./plan-stage.ts";

/** A plan for a person. */
export function describePlan(plan: Plan): string {
  const { device, data, disk, stages } = plan;
  const { name, count, memory, rate, share, precision } = device;
  const read = data.streamed ? "streamed step by step" : "all in memory";
  const beyond = stages.filter(({ fits }) => !fits).map((stage) => stage.name);
  return [
    `preset ${plan.preset} on ${count} × ${name} (${gigabytes(memory)}, ${scaled(rate, "FLOP/s")} of which ${percent(share)} are reckoned with), ${precision}`,
    `${whole(data.people)} people, ${whole(data.pictures)} pictures, ${read}`,
    ...stages.flatMap((stage) => ["", ...describeStage(stage, memory)]),
    "",
    `in all ${hours(plan.hours)}, one stage after the other`,
    `disk ${gigabytes(disk.total)}: shards ${gigabytes(disk.shards)}, prepared ${gigabytes(disk.prepared)}, checkpoints and weights ${gigabytes(disk.runs)}`,
    beyond.length === 0 ? "every stage fits" : `does not fit: ${beyond.join(", ")}`,
  ].join("\n");
}

function describeStage(stage: PlannedStage, room: number): string[] {
  const { name, steps, batch, memory, checkpoints, network, disk } = stage;
  const shared = batch.device === batch.whole ? "" : `, ${batch.device} a device`;
  const lines = [
    `${name}: ${whole(steps)} steps, batch ${batch.whole}${shared}`,
    `  parameters ${scaled(stage.trained)} trained, ${scaled(stage.frozen)} frozen`,
    `  memory a device ${gigabytes(memory.total)} of ${gigabytes(room)}: ${parts(memory)}`,
  ];
  if (checkpoints) {
    const { on, with: less, without } = checkpoints;
    const told = (kept: PlannedMemory) => `${gigabytes(kept.activations)} (in all ${gigabytes(kept.total)})`;
    lines.push(`  activations with checkpoints ${told(less)}, without ${told(without)}; they are ${on ? "on" : "off"}`);
  }
  lines.push(
    `  ${scaled(stage.flops, "FLOP")} a step, ${stage.secondsPerStep.toPrecision(3)} s${stage.bound === "calls" ? ", for its many small operators" : ""}; ${hours(stage.hours)}; ${stage.picturesPerSecond.toPrecision(3)} pictures/s`,
    `  disk: a checkpoint ${gigabytes(disk.checkpoint)}, weights ${gigabytes(disk.weights)}; network: pictures ${rateOf(network.pictures)}${network.gradients > 0 ? `, gradients ${rateOf(network.gradients)} a device` : ""}`,
    ...stage.advice.map((line) => `  ! ${line}`),
  );
  return lines;
}

function parts({ total: _, ...kinds }: PlannedMemory): string {
  return Object.entries(kinds)
    .map(([kind, bytes]) => `${kind} ${gigabytes(bytes)}`)
    .join(", ");
}

const UNITS = ["", "K", "M", "G", "T", "P", "E"];
function scaled(value: number, unit = ""): string {
  const power = value > 0 ? Math.max(0, Math.min(UNITS.length - 1, Math.floor(Math.log10(value) / 3))) : 0;
  const digits = value / 1000 ** power;
  return `${power === 0 ? digits : digits.toPrecision(3)} ${UNITS[power]}${unit}`.trim();
}

const rateOf = (bytes: number) => `${(bytes / 1e6).toPrecision(3)} MB/s`;
const whole = (value: number) => value.toLocaleString("en");
const percent = (share: number) => `${Math.round(100 * share)} %`;
const hours = (value: number) =>
  value < 1 ? `${Math.ceil(value * 60)} min` : value < 72 ? `${value.toFixed(1)} h` : `${(value / 24).toFixed(1)} days`;
