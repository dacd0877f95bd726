import { noGrad, scope, type Tensor } from "@omni-id/torch";
import type { LandmarkControl } from "../../adapters/landmark-control.ts";
import { drawPictures } from "../../generate/draw.ts";
import { encodeRows } from "../../people/encode-rows.ts";
import type { People } from "../../people/people.ts";
import { sample } from "../../people/sample.ts";
import { landmarkPictures } from "../../pictures/landmark-pictures.ts";
import { saveSheet, toRgb } from "../../pictures/picture.ts";
import { toUnit } from "../../pictures/rgb-batch.ts";
import type { FlowPreset } from "../../presets/schema.ts";
import { buildControl } from "../../weights/build.ts";
import { loadEncoder } from "../../weights/first-stage.ts";
import { type LoadedFlowBase, loadFlowAdapter, loadFlowBase, startControl } from "../../weights/flow.ts";
import type { HeldOutReport } from "../stage.ts";
import { type OpenStageOptions, openStagePeople } from "../stage-people.ts";
import { ControlStage, type IdentityPart } from "./stage.ts";

export interface OpenControlStageOptions extends OpenStageOptions {
  /** Folder of stage two's weights, encoder and adapter; not needed where the preset trains without identities. */
  flow?: string;
  /** Folder of the flow base's weights. */
  base: string;
  /** Folder of the ControlNet to start from, whichever base it was trained on; as a copy of the base when absent. */
  control?: string;
}

export interface OpenedControl {
  stage: ControlStage;
  model: LandmarkControl;
  base: LoadedFlowBase;
}

/** Pictures that the mean face is fitted to. */
const MEAN_FACE_VIEWS = 2048;

/** The ControlNet on landmarks, from a trained base and, where the preset gives identities too, a trained adapter. */
export async function openControlStage(options: OpenControlStageOptions): Promise<OpenedControl> {
  const { preset, seed } = options;
  const base = await loadFlowBase(options.base, preset);
  base.base.checkpointBlocks = preset.flow.control.checkpoint;
  const identity = preset.flow.control.identity > 0 ? await loadIdentityPart(options.flow, base) : undefined;
  const { people, validation } = await openStagePeople(options, {
    imageSize: preset.flow.imageSize,
    backbone: identity?.encoder.backbone,
  });

  const model = buildControl(preset, base.base);
  if (options.control === undefined) model.initialiseFrom(base.base.flux);
  else await startControl(model, options.control);
  model.requiresGrad_(true);
  fitMeanFace(model, people);

  const { prompt, guidance, imageSize } = preset.flow;
  const stage = new ControlStage({
    model,
    base: base.base,
    identity,
    people,
    preset: preset.flow,
    seed,
    heldOut:
      validation && ((step) => reportOn({ model, base, identity, prompt, guidance, imageSize }, validation, step)),
  });
  return { stage, model, base };
}

/** Gives a ControlNet the mean face of some people, by which poses become landmarks. */
export function fitMeanFace(model: LandmarkControl, people: People): void {
  const rows = sample(people, MEAN_FACE_VIEWS);
  const landmarks = people.landmarksOf(rows);
  model.fitMeanFace(rows.map((row, i) => ({ landmarks: landmarks[i], pose: people.poseOf(row) })));
}

async function loadIdentityPart(folder: string | undefined, base: LoadedFlowBase): Promise<IdentityPart> {
  if (!folder)
    throw new Error("the preset gives identities while the ControlNet learns: name stage two's weights (--flow)");
  const encoder = await loadEncoder(folder);
  return { encoder: encoder.bundle.encoder, decoder: await loadFlowAdapter(folder, { encoder, base }) };
}

interface Reported {
  model: LandmarkControl;
  base: LoadedFlowBase;
  identity: IdentityPart | undefined;
  prompt: string;
  guidance: FlowPreset["guidance"];
  imageSize: number;
}

/** Eight people in the poses of photos that were not among the inputs: by landmarks alone, and with the identity. */
function reportOn(
  { model, base, identity, prompt, guidance, imageSize }: Reported,
  people: People,
  step: number,
): HeldOutReport {
  return noGrad(() => {
    const shown = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => Math.floor((i * people.ids.length) / 8));
    // Of eight photos three are inputs and one of the others the target; of fewer, what there is.
    const photo = (person: number, image: number) => people.row(person, image % people.rowsOf(person).length);
    const targets = shown.map((person, i) => photo(person, (i % 5) + 3));
    const inputs = shown.flatMap((person) => [0, 1, 2].map((image) => photo(person, image)));
    const real = (rows: readonly number[]) => scope(() => toUnit(people.cropsOf(rows)));
    const made = scope(() => {
      const pictures = landmarkPictures(people.landmarksOf(targets), imageSize);
      const settings = { count: shown.length, seed: 1, steps: 16, prompt };
      const control = model.steer(pictures);
      const columns: [string, Tensor][] = [
        ["one of three\ninputs", real(inputs.filter((_, i) => i % 3 === 0))],
        ["target", real(targets)],
        ["its landmarks", pictures],
        ["landmarks\nalone", drawPictures(base.base, { ...settings, control })],
      ];
      if (identity) {
        const tokens = encodeRows(identity.encoder, people, inputs, shown.length).float();
        const conditions = identity.decoder.conditions(tokens);
        const both = drawPictures(base.base, {
          ...settings,
          conditions,
          control,
          guidance: guidance.classifierFree,
        });
        columns.push(["landmarks\nand identity", both]);
      }
      return columns.map(([name, column]) => ({ name, pictures: column.unbind(0).map(toRgb) }));
    });
    const picture = (file: string) =>
      saveSheet(file, {
        title: `step ${step}`,
        columns: made.map(({ name }) => name),
        rows: shown.map((_, row) => made.map((column) => column.pictures[row])),
        notes: [],
        tile: 104,
      });
    return { metrics: {}, picture };
  });
}
