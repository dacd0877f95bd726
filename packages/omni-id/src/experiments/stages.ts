import { createHash } from "node:crypto";
import { resolvePreset } from "../presets/index.ts";
import type { Preset } from "../presets/schema.ts";
import { fixedWay } from "../weights/build.ts";
import { TABLES } from "./tables/index.ts";
import type { Arm } from "./tables/table.ts";

export type StageKind = "mtd" | "flow" | "downstream" | "evaluate";

/** One training or measurement of an experiment. Two arms that want the same one share it. */
export interface ExperimentStage {
  /** Hash of all that goes in: name of its folder. */
  id: string;
  kind: StageKind;
  /** For a person: the first arm that wants it, its seed, its kind. */
  label: string;
  seed: number;
  /** Values that replace those of `nano-paper`. */
  set: readonly string[];
  /** Stages whose weights it builds on, the last one first. */
  needs: readonly string[];
  data: string;
  steps: number;
  /** Whether a measurement reads poses off its pictures. */
  poses: boolean;
  /** Weights that nothing here has trained, whose encoder it begins with. */
  encoder?: string;
  /** A measurement of pictures that FLUX.2 [klein] draws from the photos themselves, with sides of so many pixels. */
  references?: number;
}

/** What an experiment is run with, the same for all arms. */
export interface ExperimentSettings {
  tables: readonly string[];
  /** Arms to leave the rest out for, as in a pilot; all of them where absent. */
  arms?: readonly string[];
  /** 0, 1, … one less than this. */
  seeds: number;
  steps: { mtd: number; flow: number; downstream: number };
  /** Values of every arm's preset, such as smaller batches. */
  set: readonly string[];
  /** Folder of shards, and of the set that looks like a recognition set. */
  data: { folder: string; fingerprint: string };
  web?: { folder: string; fingerprint: string };
  /** Folder of the small CLIP, and the hash of its file. */
  clip?: { folder: string; hash: string };
  /** Side of klein's pictures, and its files' hash; or why it cannot draw here. */
  references?: { pixels: number; hash: string } | { missing: string };
  /** Folder of the flow base, the hash of its file, and that of the encoder beside it. */
  base: { folder: string; hash: string; encoder?: string };
  device: string;
  precision: string;
  /** How pictures are drawn and judged. */
  judging: { seed: number; steps: number; guidance?: number };
}

/** A line of a table: where its figures will be, seed by seed. */
export interface ArmRun {
  table: string;
  arm: string;
  seed: number;
  evaluate: string;
}

export interface Experiment {
  /** In the order in which they are to run: all arms of the first seed before the second one's. */
  stages: ExperimentStage[];
  runs: ArmRun[];
  /** Arms that cannot be run, and why. */
  leftOut: { table: string; arm: string; why: string }[];
}

/** Raise when a stage does something else under the same values. */
const VERSION = 1;
const PRESET = "nano-paper";

/** All stages of an experiment, each once. */
export function planExperiment(settings: ExperimentSettings): Experiment {
  const stages = new Map<string, ExperimentStage>();
  const runs: ArmRun[] = [];
  const wanted = settings.tables.flatMap((table) =>
    Object.entries(TABLES[table].arms)
      .filter(([name]) => settings.arms?.includes(name) ?? true)
      .map(([name, arm]) => ({ table, name, arm })),
  );
  const able = wanted.filter(({ arm }) => whyNot(arm, settings) === undefined);
  for (let seed = 0; seed < settings.seeds; seed++) {
    for (const { table, name, arm } of able) {
      const chain = chainOf(arm, { table, name, seed }, settings);
      for (const stage of chain) if (!stages.has(stage.id)) stages.set(stage.id, stage);
      runs.push({ table, arm: name, seed, evaluate: chain[chain.length - 1].id });
    }
  }
  const leftOut = wanted.flatMap(({ table, name, arm }) => {
    const why = whyNot(arm, settings);
    return why === undefined ? [] : [{ table, arm: name, why }];
  });
  return { stages: [...stages.values()], runs, leftOut };
}

/** All stages but trainings that nothing needs any more: what they lead to is measured, perhaps on another machine. */
export function worthRunning(
  stages: readonly ExperimentStage[],
  isDone: (stage: ExperimentStage) => boolean,
): ExperimentStage[] {
  const needed = new Set<string>();
  for (const stage of [...stages].reverse()) {
    if (isDone(stage) || (stage.kind !== "evaluate" && !needed.has(stage.id))) continue;
    for (const id of [stage.id, ...stage.needs]) needed.add(id);
  }
  return stages.filter((stage) => needed.has(stage.id) || isDone(stage));
}

/** Why an arm cannot be run here. */
function whyNot(arm: Arm, { web, references, clip, set, base }: ExperimentSettings): string | undefined {
  if (arm.clip && !clip) return "the small CLIP is missing: omni-id train clip, or name its folder with --clip";
  if (arm.web && !web) return "its pictures are missing: name them with --web (omni-id data synth --noise web)";
  if (arm.shipped && !base.encoder) return `${base.folder} has no encoder beside its flow base`;
  if (arm.references && !(references && "pixels" in references))
    return references?.missing ?? "klein was not looked for";
  const fixed = fixedWay(resolvePreset(PRESET, set).flow);
  if (arm.representation?.photos === "joined" && fixed)
    return `its tokens are as many as there are photos, and flow.adapter.${fixed} takes one number of them: --set flow.adapter.${fixed}=false`;
  return undefined;
}

/** The stages of one arm with one seed, in order; the last one judges. */
function chainOf(
  arm: Arm,
  { table, name, seed }: { table: string; name: string; seed: number },
  settings: ExperimentSettings,
): ExperimentStage[] {
  const { steps, set, base, judging } = settings;
  const data = (arm.web ? settings.web : undefined) ?? settings.data;
  if (arm.references) return [referencesStage(name, settings)];
  const { representation: instead } = arm;
  const represented = instead
    ? [`representation.kind=${instead.kind}`, `representation.photos=${instead.photos}`, "mtd.backboneRate=0"]
    : [];
  const { clip } = settings;
  const seen = arm.clip && clip ? ["backbone=nano-clip", `backbone.pretrained=${JSON.stringify(clip.folder)}`] : [];
  const common = [...set, ...seen, ...represented, ...(arm.set ?? []), ...(arm.mtd ?? [])];
  const part = (values: readonly string[], kind: "mtd" | "flow") => partOf(resolvePreset(PRESET, values), kind, clip);
  const mtdSteps = arm.noMtd ? 0 : Math.max(1, Math.round(steps.mtd * (arm.mtdShare ?? 1)));
  const poses = TABLES[table].judged === "downstream";
  const stage = (
    kind: StageKind,
    its: {
      values: readonly string[];
      needs: readonly string[];
      from: typeof data;
      steps: number;
      by: unknown;
      encoder?: string;
    },
  ): ExperimentStage => {
    const { folder, fingerprint } = its.from;
    const made = [kind, seed, its.needs, fingerprint, settings.device.split(":")[0], settings.precision, its.by];
    return {
      id: nameOf(made),
      kind,
      label: `${name} · seed ${seed} · ${kind}`,
      seed,
      set: its.values,
      needs: its.needs,
      data: folder,
      steps: its.steps,
      poses,
      ...(its.encoder !== undefined && { encoder: its.encoder }),
    };
  };

  const first = [...common, `mtd.optimisation.steps=${mtdSteps}`];
  const stageOne = stage("mtd", {
    values: first,
    needs: [],
    from: data,
    steps: mtdSteps,
    by: part(first, "mtd"),
  });
  const second = [...first, ...(arm.flow ?? []), `flow.adapter.optimisation.steps=${steps.flow}`];
  const flow = stage("flow", {
    values: second,
    needs: instead || arm.shipped ? [] : [stageOne.id],
    from: data,
    steps: steps.flow,
    by: [part(second, "flow"), base.hash, ...(arm.shipped ? [base.encoder] : [])],
    encoder: arm.shipped ? base.folder : undefined,
  });
  const chain = instead || arm.shipped ? [flow] : [stageOne, flow];
  if (TABLES[table].judged === "downstream") {
    // Everybody's generator is trained alike, on the clean set: few-to-many, IP-Adapter and ControlNet together, on the
    // frozen representation (section 4.2). The ControlNet starts from the base's, the adapter from stage two's.
    const third = [
      ...first,
      "flow.adapter.encoderRate=0",
      "flow.adapter.landmarks=true",
      `flow.adapter.optimisation.steps=${steps.downstream}`,
    ];
    chain.push(
      stage("downstream", {
        values: third,
        needs: [flow.id],
        from: settings.data,
        steps: steps.downstream,
        by: [part(third, "flow"), base.hash],
      }),
    );
  }
  const last = chain[chain.length - 1];
  const evaluate = stage("evaluate", {
    values: [],
    needs: [last.id],
    from: settings.data,
    steps: 1,
    by: [judging, base.hash, poses],
  });
  return [...chain, evaluate];
}

/** Nothing is trained, so all seeds share the one measurement. */
function referencesStage(name: string, { data, references, judging, precision }: ExperimentSettings): ExperimentStage {
  if (!references || !("pixels" in references)) throw new Error(`${name}: FLUX.2 [klein] cannot draw here`);
  return {
    id: nameOf(["references", data.fingerprint, references, judging.seed, precision]),
    kind: "evaluate",
    label: `${name} · evaluate`,
    seed: 0,
    set: [],
    needs: [],
    data: data.folder,
    steps: 1,
    poses: false,
    references: references.pixels,
  };
}

const nameOf = (made: readonly unknown[]): string =>
  createHash("sha256")
    .update(JSON.stringify([VERSION, ...made]))
    .digest("hex")
    .slice(0, 12);

/** What of a preset a stage depends on. */
function partOf(preset: Preset, kind: "mtd" | "flow", clip: ExperimentSettings["clip"]): unknown {
  // A CLIP is what its file holds, wherever that lies.
  const backbone = preset.backbone.kind === "clip" ? { ...preset.backbone, pretrained: clip?.hash } : preset.backbone;
  const { faceMask, singles, identity, representation, encoder, mtd, flow } = preset;
  const people = { backbone, faceMask, singles, identity, representation, encoder };
  if (kind === "mtd") return { ...people, mtd };
  const { imageSize, latents, prompts, packing, flux, prompt, guidance, adapter } = flow;
  return {
    ...people,
    backboneRate: mtd.backboneRate,
    flow: { imageSize, latents, prompts, packing, flux, prompt, guidance, adapter },
  };
}
