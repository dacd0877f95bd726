import { join } from "node:path";
import { noGrad, scope, type Tensor, tensor } from "@omni-id/torch";
import type { LandmarkControl } from "../../adapters/landmark-control.ts";
import { type HeldOutTask, heldOutTasks, otherTask } from "../../evaluate/protocol.ts";
import { encodeTasks } from "../../evaluate/reconstruct.ts";
import { drawPictures } from "../../generate/draw.ts";
import type { People } from "../../people/people.ts";
import { saveSheet, toRgb } from "../../pictures/picture.ts";
import { toUnit } from "../../pictures/rgb-batch.ts";
import type { FlowPreset } from "../../presets/schema.ts";
import type { Representation } from "../../representations/representation.ts";
import { buildControl } from "../../weights/build.ts";
import type { LoadedEncoder } from "../../weights/first-stage.ts";
import { type LoadedFlowBase, loadFlowBase, startControl } from "../../weights/flow.ts";
import { ENCODER_FILE } from "../../weights/folder.ts";
import { fitMeanFace } from "../control/open.ts";
import { figuresLine } from "../figures-line.ts";
import { peopleTokens } from "../people-tokens.ts";
import type { HeldOutReport } from "../stage.ts";
import { type OpenStageOptions, openStagePeople } from "../stage-people.ts";
import { identityErrors } from "./identity-errors.ts";
import { learningBase } from "./learning-base.ts";
import { openAdapter, stageSettings } from "./open-adapter.ts";
import { openRepresentation, startRepresentation } from "./open-representation.ts";
import { FlowModel, FlowStage } from "./stage.ts";

export interface OpenFlowStageOptions extends OpenStageOptions {
  /** Folder of stage one's weights. */
  encoder: string;
  /** Folder of the flow base's weights. */
  base: string;
  /** Folder of the adapter to start from, whichever encoder and base it was trained with; from nothing when absent. */
  adapter?: string;
  /** Folder of the ControlNet to start from, where the preset gives landmarks too; as a copy of the base when absent. */
  control?: string;
}

export interface OpenedFlow {
  stage: FlowStage;
  model: FlowModel;
  people: People;
  encoder: Pick<LoadedEncoder<Representation>, "bundle" | "metadata" | "hash">;
  /** The file that it was loaded from. */
  encoderFile: string;
  base: LoadedFlowBase;
  /** Its folder, where its files are to lie beside the adapter, so that the folder draws by itself. */
  baseFolder?: string;
  /** How the adapter that it started from was trained. */
  before: Readonly<Record<string, string>> | undefined;
}

/** Stage two on a folder of shards, from stage one's encoder and a trained base. */
export async function openFlowStage(options: OpenFlowStageOptions): Promise<OpenedFlow> {
  const { preset } = options;
  const encoder = await openRepresentation(options);
  const base = await loadFlowBase(options.base, preset);
  base.base.checkpointBlocks = preset.flow.adapter.checkpoint;
  const network = encoder.bundle.encoder;
  const { people, validation } = await openStagePeople(options, {
    imageSize: preset.flow.imageSize,
    backbone: network.backbone,
  });

  if (encoder.fresh) await startRepresentation(network, preset, people);
  const { decoder, before } = await openAdapter(options.adapter, { preset, base: base.base, encoder: network, people });
  const control = preset.flow.adapter.landmarks ? await openControl(options, base, people) : undefined;
  const model = new FlowModel(network, decoder, { control, base: learningBase(preset, base.base) });
  const { prompt, guidance } = preset.flow;
  const stage = new FlowStage({
    model,
    base: base.base,
    people,
    ...stageSettings(options),
    heldOut: validation && ((step) => reportOn({ model, base, prompt, guidance }, validation, step)),
  });
  return { stage, model, people, encoder, encoderFile: join(options.encoder, ENCODER_FILE), base, before };
}

/** The ControlNet that learns along. */
async function openControl(
  { preset, control }: OpenFlowStageOptions,
  { base }: LoadedFlowBase,
  people: People,
): Promise<LandmarkControl> {
  const model = buildControl(preset, base);
  if (control === undefined) model.initialiseFrom(base.flux);
  else await startControl(model, control);
  model.requiresGrad_(true);
  fitMeanFace(model, people);
  return model;
}

interface Reported {
  model: FlowModel;
  base: LoadedFlowBase;
  prompt: string;
  guidance: FlowPreset["guidance"];
}

function reportOn(
  { model, base: { base }, prompt, guidance }: Reported,
  validation: People,
  step: number,
): HeldOutReport {
  return noGrad(() => {
    const tasks = heldOutTasks(validation);
    const identities = (inputs: number) => encodeTasks(model.encoder, validation, tasks, inputs);
    const three = identities(3).keep();
    const other = scope(() =>
      three.indexSelect(
        0,
        tensor(
          tasks.map((_, task) => otherTask(task, tasks.length)),
          { dtype: "int64" },
        ),
      ),
    ).keep();
    const x = scope(() =>
      peopleTokens(
        base,
        validation,
        tasks.map((task) => task.targets[0]),
      ),
    );
    const prompts = tasks.map(() => prompt);
    const metrics = identityErrors({ base, decoder: model.decoder }, { x, prompts, right: three, other });
    const picture = drawSheet(
      { model, base, prompt, guidance },
      { validation, tasks, identities, other },
      step,
      metrics,
    );
    three.dispose();
    other.dispose();
    return { metrics, picture };
  });
}

/** Eight people: inputs, a real picture, then drawn from 1, 3, 5 photos, from somebody else's identity, from none. */
function drawSheet(
  { model, base, prompt, guidance: { classifierFree } }: Omit<Reported, "base"> & { base: LoadedFlowBase["base"] },
  held: {
    validation: People;
    tasks: readonly HeldOutTask[];
    identities: (inputs: number) => Tensor;
    other: Tensor;
  },
  step: number,
  metrics: Record<string, number>,
): (file: string) => Promise<void> {
  const { validation, tasks, identities, other } = held;
  const shown = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => Math.floor((i * tasks.length) / 8));
  const pick = (all: Tensor) => all.indexSelect(0, tensor(shown, { dtype: "int64" }));
  const draw = (tokens: Tensor | undefined, guidance = classifierFree) =>
    scope(() => {
      const conditions = tokens && model.decoder.conditions(tokens);
      const settings = { count: shown.length, seed: 1, steps: 16, guidance, prompt };
      return drawPictures(base, { ...settings, conditions })
        .unbind(0)
        .map(toRgb);
    });
  const real = (rows: readonly number[]) => scope(() => toUnit(validation.cropsOf(rows)).unbind(0).map(toRgb));
  const columns = [
    ...[0, 1, 2].map((i) => real(shown.map((task) => tasks[task].inputs[i]))),
    real(shown.map((task) => tasks[task].targets[0])),
    scope(() => draw(pick(identities(3)), 1)),
    ...[1, 3, 5].map((inputs) => scope(() => draw(pick(identities(inputs))))),
    scope(() => draw(pick(other))),
    draw(undefined),
  ];
  return (file) =>
    saveSheet(file, {
      title: `step ${step}`,
      columns: [
        "input 1",
        "input 2",
        "input 3",
        "another\nphoto",
        "3 photos,\nguidance 1",
        "1 photo",
        "3 photos",
        "5 photos",
        "somebody\nelse",
        "nobody",
      ],
      rows: shown.map((_, row) => columns.map((column) => column[row])),
      notes: [figuresLine(metrics)],
      tile: 104,
    });
}
