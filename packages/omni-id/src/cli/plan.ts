import { totalmem } from "node:os";
import { Command, Option } from "@commander-js/extra-typings";
import { preferredPrecision } from "@omni-id/torch";
import { InvalidArgumentError } from "commander";
import { type Card, cardNames, cardOf } from "../plan/cards.ts";
import { countData, usualData } from "../plan/data.ts";
import type { PlanOptions } from "../plan/need.ts";
import { makePlan } from "../plan/plan.ts";
import { describePlan } from "../plan/told.ts";
import { presets, resolvePreset } from "../presets/index.ts";
import { count, jsonOption } from "./options.ts";
import { print, UsageError } from "./output.ts";
import { productRate } from "./product-rate.ts";

/** Share of a device's rate that stage two reaches on an H200 (results/gpu.json). */
const USUAL_SHARE = 0.32;

export function planCommand() {
  return new Command("plan")
    .description("what a training takes before it is started: memory, hours, disk, and what to change")
    .option("--preset <name>", `one of: ${Object.keys(presets).join(", ")}`, "nano")
    .option("--set <key=value...>", "replace values of the preset, such as mtd.batch=8")
    .option("--gpus <number>", "devices that share each batch", count, 1)
    .option("--gpu <name>", `which: ${cardNames().join(", ")} (this machine's processor)`, "h100")
    .option("--memory <GB>", "memory of a device that is not in the list", above0)
    .option("--rate <TFLOPs>", "its dense products in bfloat16, 10¹² floating-point operations a second", above0)
    .option("--share <number>", "share of that rate that a step reaches", above0, USUAL_SHARE)
    .option(
      "--data <folders...>",
      "shards, or prepared sets, to be trained on (default: as many people as the preset is made for)",
    )
    .option("--cache <folder>", "prepared pictures", "data/cache")
    .option("--people <number>", "people, where there are no shards yet", count)
    .option("--photos <number>", "photos of each", count)
    .addOption(
      new Option("--precision <name>", "default: bfloat16, on the processor what is faster").choices([
        "bfloat16",
        "float32",
      ] as const),
    )
    .option("--divide-state", "the optimisers' state divided among the devices (ZeRO-1)")
    .addOption(jsonOption())
    .addHelpText("after", HELP)
    .action(async ({ set, gpus, data: folders, people, photos, json, ...options }) => {
      const preset = knownPreset(options.preset, set);
      const data = folders ? await countData(folders, options.cache) : usualData(preset, { people, photos });
      const plan = makePlan({ preset, gpus, data, ...deviceOf(options) });
      print(plan, { json, text: describePlan(plan) });
    });
}

const HELP = `
Each stage is built with its real sizes and steps once in a rehearsal: tensors have shapes and no memory, nothing is
computed, and what would have been is counted. Memory and operations are exact; hours follow from --share, which is an
assumption until you have measured it, and bytes of pictures that are not there yet are guessed at two bits a pixel.

Examples:
  omni-id plan --preset paper --gpus 8 --gpu h100
  omni-id plan --preset klein --gpu rtx4090 --set flow.adapter.batch=1
  omni-id plan --gpu cpu --data data/synth`;

interface Chosen {
  gpu: string;
  memory?: number;
  rate?: number;
  share: number;
  precision?: "bfloat16" | "float32";
  divideState?: true;
}

function deviceOf({
  gpu,
  memory,
  rate,
  share,
  precision,
  divideState,
}: Chosen): Omit<PlanOptions, "preset" | "gpus" | "data"> {
  const own = {
    memory: memory === undefined ? undefined : memory * 1e9,
    rate: rate === undefined ? undefined : rate * 1e12,
  };
  if (gpu === "cpu") {
    const chosen = precision ?? preferredPrecision();
    const card = { name: "cpu", memory: own.memory ?? totalmem(), rate: own.rate ?? productRate(chosen) * 1e9 };
    return { card, device: "cpu", precision: chosen, share, divideState };
  }
  return { card: knownCard(gpu, own), device: "cuda", precision: precision ?? "bfloat16", share, divideState };
}

/** A card of the list, or one that is told by its memory and rate. */
function knownCard(name: string, { memory, rate }: { memory?: number; rate?: number }): Card {
  if (memory !== undefined && rate !== undefined) return { name, memory, rate };
  try {
    const card = cardOf(name);
    return { name, memory: memory ?? card.memory, rate: rate ?? card.rate };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function knownPreset(name: string, set: readonly string[] | undefined) {
  try {
    return resolvePreset(name, set);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function above0(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError(`"${text}" is no number above 0.`);
  return value;
}
