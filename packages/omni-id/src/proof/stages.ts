import { modelFile, recogniserModel } from "@omni-id/face";
import {
  checkDevices,
  deviceMemory,
  F,
  Generator,
  manualSeed,
  type nn,
  onDevice,
  randn,
  scope,
  synchronize,
} from "@omni-id/torch";
import type { LinearAutoencoder } from "../backbones/linear-autoencoder.ts";
import type { WordEncoder } from "../backbones/words.ts";
import type { FlowBase } from "../flow-base.ts";
import type { People } from "../people/people.ts";
import { resolvePreset } from "../presets/index.ts";
import type { Preset } from "../presets/schema.ts";
import { BaseStage, startFromZero } from "../train/base/stage.ts";
import { ControlStage } from "../train/control/stage.ts";
import { FlowModel, FlowStage } from "../train/flow/stage.ts";
import { LikenessLoss } from "../train/likeness.ts";
import { MtdModel, MtdStage } from "../train/mtd/stage.ts";
import { Optimisers } from "../train/optimisers.ts";
import type { Stage } from "../train/stage.ts";
import { buildControl, buildEncoder, buildFlowAdapter, buildFlowBase, buildMaskedDecoder } from "../weights/build.ts";
import { madePeople } from "./made-people.ts";
import type { Finding, ProofContext } from "./part.ts";

/** How far losses of two devices may be apart after ten steps, as a share. */
const LIMIT = 1e-3;

/** A stage, and all networks whose weights decide its losses. */
interface Built {
  stage: Stage<never>;
  networks: nn.Module[];
}

/** A base that knows some words and some pictures' latents. */
function baseOf(preset: Preset): FlowBase {
  const base = buildFlowBase(preset);
  (base.prompts as WordEncoder).vocabulary = ["photo", "person", "man", "red", "hair"];
  const side = preset.flow.imageSize;
  const pictures = randn([64, 3, side, side], { generator: new Generator(4) });
  scope(() => (base.latents as LinearAutoencoder).fit(F.avgPool2d(pictures, [3, 3], { stride: 1, padding: 1 }).tanh()));
  return base;
}

const likenessOf = () => new LikenessLoss(modelFile(recogniserModel));

const stages: Readonly<Record<string, (preset: Preset, people: People) => Built>> = {
  mtd: (preset, people) => {
    const model = new MtdModel(buildEncoder(preset), buildMaskedDecoder(preset));
    const stage = new MtdStage({ model, people, preset: preset.mtd, seed: 3, likeness: likenessOf() });
    return { stage: stage as unknown as Stage<never>, networks: [model] };
  },
  base: (preset, people) => {
    const model = baseOf(preset);
    startFromZero(model);
    const stage = new BaseStage({ model, people, preset: preset.flow, seed: 3 });
    return { stage: stage as unknown as Stage<never>, networks: [model] };
  },
  flow: (preset, people) => {
    const base = baseOf(preset).requiresGrad_(false);
    const model = new FlowModel(buildEncoder(preset), buildFlowAdapter(preset));
    const stage = new FlowStage({ model, base, people, preset: preset.flow, seed: 3, likeness: likenessOf() });
    return { stage: stage as unknown as Stage<never>, networks: [model, base] };
  },
  control: (preset, people) => {
    const base = baseOf(preset).requiresGrad_(false);
    const identity = { encoder: buildEncoder(preset), decoder: buildFlowAdapter(preset) };
    const model = buildControl(preset, base);
    model.initialiseFrom(base.flux);
    const stage = new ControlStage({ model, base, identity, people, preset: preset.flow, seed: 3 });
    return { stage: stage as unknown as Stage<never>, networks: [model, base, identity.encoder, identity.decoder] };
  },
};

/**
 * Some steps of each stage at nano size, in float32, on the device and on the processor: the same weights, people and
 * noise. On the device every operand is checked to lie there.
 */
export function trainingSteps(overrides: readonly string[] = []) {
  return function* ({ device, steps, note }: ProofContext): Iterable<Finding> {
    const preset = resolvePreset("nano", [...overrides]);
    for (const name of Object.keys(stages)) {
      const there = losses(name, preset, device, steps);
      const here = losses(name, preset, "cpu", steps);
      note(
        `${name}: ${there.losses.map((loss) => loss.toFixed(5)).join(" ")}; processor ${here.losses.at(-1)?.toFixed(5)}`,
      );
      const apart = Math.max(
        ...there.losses.map((loss, i) => Math.abs(loss - here.losses[i]) / Math.abs(here.losses[i])),
      );
      yield { name: `${name}: losses of ${steps} steps`, value: apart, limit: LIMIT };
      yield { name: `${name}: a step`, value: there.seconds, unit: "s" };
      yield { name: `${name}: a step on the processor`, value: here.seconds, unit: "s" };
      if (there.grown !== undefined)
        yield { name: `${name}: memory left behind by a step`, value: there.grown, limit: 0, unit: "bytes" };
    }
  };
}

function losses(name: string, preset: Preset, device: string, steps: number) {
  return scope(() => {
    const build = () => stages[name](preset, madePeople(24, { side: preset.flow.imageSize }));
    // Every device draws weights of its own: the processor's are taken.
    manualSeed(2);
    const wanted = onDevice("cpu", build);
    const { stage, networks } = onDevice(device, build);
    for (const [i, network] of networks.entries()) network.loadStateDict(wanted.networks[i].stateDict());
    return onDevice(device, () => run(stage, preset, device, steps));
  });
}

function run(stage: Stage<never>, preset: Preset, device: string, steps: number) {
  const optimisers = new Optimisers(stage.groups, preset.flow.adapter.optimisation);
  const done: number[] = [];
  let started = 0;
  let grown: number | undefined;
  for (let step = 1; step <= steps; step++) {
    const before = deviceMemory(device)?.allocated;
    if (step === 2) {
      synchronize(device);
      started = performance.now();
    }
    checkDevices(true);
    try {
      done.push(
        scope(() => {
          const { loss } = stage.loss(stage.batch(step), step);
          loss.backward();
          optimisers.clip();
          optimisers.step(step);
          return loss.item();
        }),
      );
    } finally {
      checkDevices(false);
    }
    const after = deviceMemory(device)?.allocated;
    if (step === steps && before !== undefined && after !== undefined) grown = after - before;
  }
  synchronize(device);
  return { losses: done, seconds: (performance.now() - started) / 1e3 / Math.max(1, steps - 1), grown };
}
