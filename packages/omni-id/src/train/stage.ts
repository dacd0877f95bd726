import type { nn, Tensor } from "@omni-id/torch";
import type { FetchedPictures, Pictures } from "../people/picture-source.ts";
import type { Representation } from "../representations/representation.ts";
import type { Share } from "./share.ts";

export interface ParameterGroup {
  /** Optimiser of the group: Muon for hidden matrices, AdamW for all else. */
  optimiser: "muon" | "adamw";
  /** Factor on the preset's rate of that optimiser. */
  rate: number;
  parameters: Tensor[];
}

export interface StepResult {
  /** A scalar that gradients start from. */
  loss: Tensor;
  /** What is logged beside it. */
  metrics: Record<string, number>;
}

export interface HeldOutReport {
  metrics: Record<string, number>;
  /** Writes a picture that shows how far the training is. */
  picture?: (file: string) => Promise<void>;
}

/**
 * One stage of the training: data, a loss, and what is trained. The loop in `loop.ts` is the same for all of them.
 * `batch` must depend on the step alone, or a resumed run will differ from an uninterrupted one. It is the whole batch,
 * whichever process draws it; `part` takes a process's share, and the mean of all shares' losses is the whole's.
 */
export interface Stage<Batch> {
  readonly name: string;
  /** All that a checkpoint keeps. */
  readonly model: nn.Module;
  readonly groups: ParameterGroup[];
  batch(step: number): Batch;
  /** A share of a batch; a stage without it is trained by one process only. */
  part?(batch: Batch, share: Share): Batch;
  /**
   * Starts fetching the pictures of a batch, which its step will be given; undefined where they lie at hand. The loop asks
   * ahead of the step.
   */
  fetch?(batch: Batch): Promise<FetchedPictures> | undefined;
  /** What to tell a person about a batch whose loss was not finite. */
  describe(batch: Batch): string;
  loss(batch: Batch, step: number, share?: Share, pictures?: Pictures): StepResult;
  /**
   * What the loss of a batch is going to ask `share.total` for, in that order: of a step in pieces it is added up before
   * the first one.
   */
  totals?(batch: Batch, step: number, share: Share, pictures?: Pictures): Tensor[];
  /** Cheap figures to steer by, taken at each log line by all processes, such as the identity gap. */
  probe?(step: number, share?: Share, pictures?: Pictures): Record<string, number>;
  /** Figures and a picture on held-out data, with the averaged weights in place. */
  heldOut?(step: number): HeldOutReport;
}

/** A share of a step's batch. */
export function batchOf<Batch>(stage: Stage<Batch>, step: number, share: Share): Batch {
  const batch = stage.batch(step);
  return stage.part ? stage.part(batch, share) : batch;
}

/** Keys of hidden matrices: inside blocks, but not the modulations, which answer to the time and start at zero. */
const HIDDEN = /(^|[._])(?<!controlnet_)blocks\.\d+\./;
const MODULATION = /(_mod|modulation)\./;

/** Splits a module's trainable parameters: matrices inside blocks to Muon, the rest (edges, norms, biases) to AdamW. */
export function parameterGroups(module: nn.Module, rate = 1): ParameterGroup[] {
  const trained = module.namedParameters().filter(([, parameter]) => parameter.requiresGrad);
  const hidden = ([key, parameter]: [string, Tensor]) =>
    parameter.ndim === 2 && HIDDEN.test(key) && !MODULATION.test(key);
  const tensors = (entries: [string, Tensor][]) => entries.map(([, parameter]) => parameter);
  const groups: ParameterGroup[] = [
    { optimiser: "muon", rate, parameters: tensors(trained.filter(hidden)) },
    { optimiser: "adamw", rate, parameters: tensors(trained.filter((entry) => !hidden(entry))) },
  ];
  return groups.filter((group) => group.parameters.length > 0);
}

/** Groups of an encoder; what its backbone brought along takes a share of the rate, and no Muon. */
export function encoderGroups(
  encoder: Representation,
  { encoderRate, backboneRate }: { encoderRate: number; backboneRate: number },
): ParameterGroup[] {
  const brought = new Set(encoder.backbone.pretrained());
  const groups = parameterGroups(encoder, encoderRate).map((group) => ({
    ...group,
    parameters: group.parameters.filter((parameter) => !brought.has(parameter)),
  }));
  const slow = [...brought].filter((parameter) => parameter.requiresGrad);
  return slow.length > 0
    ? [...groups, { optimiser: "adamw", rate: encoderRate * backboneRate, parameters: slow }]
    : groups;
}

/** Whether an encoder is trained; at a backbone's rate of 0 it learns around a frozen backbone. */
export function setTrainable(
  encoder: Representation,
  { encoderRate, backboneRate }: { encoderRate: number; backboneRate: number },
): void {
  encoder.requiresGrad_(encoderRate > 0);
  if (backboneRate === 0) for (const parameter of encoder.backbone.pretrained()) parameter.requiresGrad_(false);
}
