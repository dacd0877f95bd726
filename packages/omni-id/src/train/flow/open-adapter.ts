import { modelFile, recogniserModel } from "@omni-id/face";
import { noGrad, scope } from "@omni-id/torch";
import { trainingIdentities } from "../../evaluate/training-identities.ts";
import type { FlowBase } from "../../flow-base.ts";
import type { FlowAdapter } from "../../flow-decoder.ts";
import type { People } from "../../people/people.ts";
import type { Preset } from "../../presets/schema.ts";
import type { Representation } from "../../representations/representation.ts";
import { buildFlowAdapter } from "../../weights/build.ts";
import { startFlowAdapter } from "../../weights/flow.ts";
import { LikenessLoss } from "../likeness.ts";
import type { FlowStageOptions } from "./stage.ts";

/** What an adapter is to stand between, and whose identities it is told. */
export interface AdapterPlace {
  preset: Preset;
  base: FlowBase;
  encoder: Representation;
  people: People;
}

/** A second decoder, and how the one that it started from was trained. */
export interface OpenedAdapter {
  decoder: FlowAdapter;
  before: Readonly<Record<string, string>> | undefined;
}

/** The second decoder before its first step: of a folder, or fresh, its joined tokens then the fixed prompt's in FLUX. */
export async function openAdapter(
  folder: string | undefined,
  { preset, base, encoder, people }: AdapterPlace,
): Promise<OpenedAdapter> {
  const decoder = buildFlowAdapter(preset);
  const before = folder === undefined ? undefined : await startFlowAdapter(decoder, folder);
  if (preset.flow.adapter.standardise) {
    const identities = await trainingIdentities(encoder, people, 1024);
    decoder.standardise(identities);
    identities.dispose();
  }
  const { joined } = decoder;
  if (joined && folder === undefined) {
    const prompt = () => base.flux.txt_in.forward(base.prompts.encode([preset.flow.prompt]).txt).squeeze(0);
    scope(() => noGrad(() => joined.startFrom(prompt())));
  }
  return { decoder, before };
}

/** How a preset trains the adapter, whatever is drawn. */
export function stageSettings({
  preset,
  seed,
}: {
  preset: Preset;
  seed: number;
}): Pick<FlowStageOptions, "preset" | "seed" | "alteredShare" | "backboneRate" | "likeness"> {
  return {
    preset: preset.flow,
    seed,
    alteredShare: preset.alteredInputs.share,
    backboneRate: preset.mtd.backboneRate,
    likeness: preset.flow.adapter.likeness > 0 ? new LikenessLoss(modelFile(recogniserModel)) : undefined,
  };
}
