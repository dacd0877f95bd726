import { noGrad, scope, tensor } from "@omni-id/torch";
import type { LandmarkControl } from "../adapters/landmark-control.ts";
import { buildControl } from "../build.ts";
import type { FlowDecoder } from "../flow-decoder.ts";
import { type LoadedFlowBase, loadFlowBase, loadFlowDecoder } from "../flow-weights.ts";
import { drawPictures } from "../generate/draw.ts";
import { landmarkPictures } from "../landmark-picture.ts";
import { saveSheet, toRgb } from "../picture.ts";
import { toUnit } from "../rgb-batch.ts";
import { type LoadedEncoder, loadEncoder } from "../weights.ts";
import { ControlStage } from "./control.ts";
import { sample } from "./first-stage.ts";
import { encodeRows } from "./mtd.ts";
import { type OpenStageOptions, openPeople } from "./open-people.ts";
import type { People } from "./people.ts";
import { recogniserOf } from "./prepare.ts";
import type { HeldOutReport } from "./stage.ts";

export interface OpenControlStageOptions extends OpenStageOptions {
  /** Folder of stage two's weights: encoder and adapter. */
  flow: string;
  /** Folder of the flow base's weights. */
  base: string;
}

export interface OpenedControl {
  stage: ControlStage;
  model: LandmarkControl;
  base: LoadedFlowBase;
}

/** Pictures that the mean face is fitted to. */
const MEAN_FACE_VIEWS = 2048;
const GUIDANCE = 3;

/** The ControlNet on landmarks, from a trained base and adapter. */
export async function openControlStage(options: OpenControlStageOptions): Promise<OpenedControl> {
  const { preset, seed } = options;
  const base = await loadFlowBase(options.base, preset);
  const encoder = await loadEncoder(options.flow);
  const decoder = await loadFlowDecoder(options.flow, { encoder, base });
  const network = encoder.bundle.encoder;
  const { people, validation } = await openPeople(options, recogniserOf(network));

  const model = buildControl(preset, base.base);
  model.initialiseFrom(base.base.flux);
  model.requiresGrad_(true);
  const rows = sample(people, MEAN_FACE_VIEWS);
  const landmarks = people.landmarksOf(rows);
  model.fitMeanFace(rows.map((row, i) => ({ landmarks: landmarks[i], pose: people.poseOf(row) })));

  const stage = new ControlStage({
    model,
    base: base.base,
    identity: { encoder: network, decoder },
    people,
    preset: preset.flow,
    imageSize: preset.imageSize,
    seed,
    heldOut:
      validation &&
      ((step) => reportOn({ model, base, encoder, decoder, prompt: preset.flow.prompt }, validation, step)),
  });
  return { stage, model, base };
}

interface Reported {
  model: LandmarkControl;
  base: LoadedFlowBase;
  encoder: LoadedEncoder;
  decoder: FlowDecoder;
  prompt: string;
}

/** Eight people in the poses of photos that were not among the inputs: with landmarks alone, with the identity alone, with both. */
function reportOn({ model, base, encoder, decoder, prompt }: Reported, people: People, step: number): HeldOutReport {
  return noGrad(() => {
    const shown = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => Math.floor((i * people.ids.length) / 8));
    const targets = shown.map((person, i) => person * people.images + (i % 5) + 3);
    const inputs = shown.flatMap((person) => [0, 1, 2].map((image) => person * people.images + image));
    const real = (rows: readonly number[]) =>
      scope(() => toUnit(people.crops.indexSelect(0, tensor(rows, { dtype: "int64" }))));
    const side = people.crops.shape[3];
    const made = scope(() => {
      const pictures = landmarkPictures(people.landmarksOf(targets), side);
      const conditions = decoder.conditions(encodeRows(encoder.bundle.encoder, people, inputs, shown.length).float());
      const settings = { count: shown.length, seed: 1, steps: 16, prompt };
      const steered = model.steer(pictures);
      const columns = [
        real(inputs.filter((_, i) => i % 3 === 0)),
        real(targets),
        pictures,
        drawPictures(base.base, { ...settings, conditions: steered }),
        drawPictures(base.base, { ...settings, conditions, guidance: GUIDANCE }),
        drawPictures(base.base, {
          ...settings,
          conditions: model.steer(pictures, conditions),
          without: steered,
          guidance: GUIDANCE,
        }),
      ];
      return columns.map((column) => column.unbind(0).map(toRgb));
    });
    const picture = (file: string) =>
      saveSheet(file, {
        title: `step ${step}`,
        columns: ["one of three\ninputs", "target", "its landmarks", "landmarks\nalone", "identity\nalone", "both"],
        rows: shown.map((_, row) => made.map((column) => column[row])),
        notes: [],
        tile: 104,
      });
    return { metrics: {}, picture };
  });
}
