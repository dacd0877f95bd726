import { ShardSet, splitOf } from "@omni-id/data";
import { RecogniserBackbone } from "../backbones/recogniser.ts";
import { prepareAhead } from "../people/open-people.ts";
import { prepareParts, type Turn } from "../people/prepare.ts";
import { resolvePreset } from "../presets/index.ts";
import { stagePeopleOptions } from "../train/stage-people.ts";
import type { ExperimentSettings } from "./stages.ts";

/**
 * Prepares everybody once, before processes beside each other would find them missing; of several processes that divide the
 * work, one's share.
 */
export async function prepareForExperiment({
  settings,
  cache,
  turn,
  note,
}: {
  settings: ExperimentSettings;
  cache: string;
  turn?: Turn;
  note: (text: string) => void;
}): Promise<void> {
  const preset = resolvePreset("nano-paper", settings.set);
  const { backbone, faceMask, mtd, flow } = preset;
  const sets = [settings.data, ...(settings.web ? [settings.web] : [])].map(({ folder }) => folder);
  for (const imageSize of new Set([mtd.imageSize, flow.imageSize])) {
    for (const folder of sets) {
      await prepareAhead(stagePeopleOptions({ data: [folder], cache, preset, seed: 0, note }, { imageSize }), turn);
    }
  }
  const shards = await ShardSet.open(settings.data.folder);
  const recogniser = () => RecogniserBackbone.load({ width: backbone.width });
  const test = splitOf(shards).test;
  const common = { shards, ids: test, backbone: recogniser(), recogniser, faceMask, cache, jitter: false };
  await prepareParts({ ...common, imageSize: flow.imageSize, turn });
}
