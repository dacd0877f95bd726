import { modelFile, recogniserModel } from "@omni-id/face";
import type { nn } from "@omni-id/torch";
import type { FlowBase } from "../flow-base.ts";
import type { People } from "../people/people.ts";
import type { Preset } from "../presets/schema.ts";
import { BaseStage } from "../train/base/stage.ts";
import { ControlStage } from "../train/control/stage.ts";
import { learningBase } from "../train/flow/learning-base.ts";
import { FlowModel, FlowStage } from "../train/flow/stage.ts";
import { LikenessLoss } from "../train/likeness.ts";
import { MtdModel, MtdStage } from "../train/mtd/stage.ts";
import { type Stage, setTrainable } from "../train/stage.ts";
import { buildControl, buildEncoder, buildFlowAdapter, buildMaskedDecoder } from "../weights/build.ts";
import { takesPublished } from "../weights/flow.ts";
import { blankBase, blankPeople } from "./stand-ins.ts";

/** A stage as it would be trained, on people without pictures and weights without values. */
export interface BlankStage {
  stage: Stage<unknown>;
  /** Networks beside the stage's own model, frozen. */
  frozen: nn.Module[];
}

export type StageName = "mtd" | "base" | "flow" | "control";

/** The stages that a preset trains, in order; a published flow model is taken as it is. */
export const stagesOf = (preset: Preset): StageName[] =>
  takesPublished(preset) ? ["mtd", "flow", "control"] : ["mtd", "base", "flow", "control"];

const likenessOf = (weight: number) => (weight > 0 ? new LikenessLoss(modelFile(recogniserModel)) : undefined);
const networksOf = (likeness: LikenessLoss | undefined) => (likeness ? [likeness.network] : []);

type Open = (preset: Preset, people: People, checkpoint: boolean) => BlankStage;

const OPEN: Readonly<Record<StageName, Open>> = {
  mtd: (preset, people) => {
    const { mtd } = preset;
    const model = new MtdModel(buildEncoder(preset), buildMaskedDecoder(preset));
    if (mtd.encoderRate === 0) setTrainable(model.encoder, mtd);
    const likeness = likenessOf(mtd.loss.likeness + mtd.loss.perceptual);
    const stage = new MtdStage({ model, people, preset: mtd, seed: 0, likeness });
    return { stage: blank(stage), frozen: networksOf(likeness) };
  },
  base: (preset, people) => {
    const stage = new BaseStage({ model: blankBase(preset), people, preset: preset.flow, seed: 0 });
    return { stage: blank(stage), frozen: [] };
  },
  flow: (preset, people, checkpoint) => {
    const { flow, mtd } = preset;
    const base = frozenBase(preset, checkpoint);
    const along = learningBase(preset, base);
    const model = new FlowModel(buildEncoder(preset), buildFlowAdapter(preset), { base: along });
    const likeness = likenessOf(flow.adapter.likeness);
    const { backboneRate } = mtd;
    const stage = new FlowStage({ model, base, people, preset: flow, seed: 0, likeness, backboneRate });
    return { stage: blank(stage), frozen: [...(along ? [] : [base]), ...networksOf(likeness)] };
  },
  control: (preset, people, checkpoint) => {
    const { flow } = preset;
    const base = frozenBase(preset, checkpoint);
    const identity =
      flow.control.identity > 0
        ? {
            encoder: buildEncoder(preset).requiresGrad_(false),
            decoder: buildFlowAdapter(preset).requiresGrad_(false),
          }
        : undefined;
    const model = buildControl(preset, base);
    const stage = new ControlStage({ model, base, identity, people, preset: flow, seed: 0 });
    return { stage: blank(stage), frozen: [base, ...(identity ? [identity.encoder, identity.decoder] : [])] };
  },
};

function frozenBase(preset: Preset, checkpoint: boolean): FlowBase {
  const base = blankBase(preset).requiresGrad_(false);
  base.checkpointBlocks = checkpoint;
  return base;
}

/** People enough for a stage's step. */
export function openPeople(name: StageName, preset: Preset): People {
  const { mtd, flow } = preset;
  if (name === "mtd") return blankPeople(mtd.batch, mtd.imageSize, preset);
  return blankPeople(name === "flow" ? flow.adapter.batch : flow[name].batch, flow.imageSize, preset);
}

/** Builds a stage inside a rehearsal. @param checkpoint whether the flow model's blocks run twice */
export function openBlank(name: StageName, preset: Preset, people: People, checkpoint: boolean): BlankStage {
  return OPEN[name](preset, people, checkpoint);
}

function blank<Batch>(stage: Stage<Batch>): Stage<unknown> {
  return stage as unknown as Stage<unknown>;
}
