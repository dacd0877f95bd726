import { join } from "node:path";
import { isPrepared } from "@omni-id/data";
import type { People } from "../../people/people.ts";
import { loadFlowBase, takesPublished } from "../../weights/flow.ts";
import { ENCODER_FILE } from "../../weights/folder.ts";
import { learningBase } from "../flow/learning-base.ts";
import type { OpenedFlow } from "../flow/open.ts";
import { openAdapter, stageSettings } from "../flow/open-adapter.ts";
import { openRepresentation, startRepresentation } from "../flow/open-representation.ts";
import { FlowModel, FlowStage } from "../flow/stage.ts";
import { type OpenStageOptions, openStagePeople } from "../stage-people.ts";
import { reportOn } from "./report.ts";

export interface OpenPersonaliseOptions extends OpenStageOptions {
  /** Folder of what stands for a person; it stays as it is, unless the preset lets it learn along. */
  encoder: string;
  /** Folder of the flow base that draws scenes. */
  base: string;
  /** Folder of the adapter to start from; from nothing when absent. */
  adapter?: string;
}

/**
 * Personalised text-to-image (section 4.3): stage two once more, on the base of scenes. A few photos of a face go in, and
 * scenes of the same person, which their own sentences tell of, are to come out: whom to draw is said by the photos, and all
 * else by the words.
 * @throws when the set has no scenes, or no other photos beside them; when it is streamed
 */
export async function openPersonaliseStage(options: OpenPersonaliseOptions): Promise<OpenedFlow> {
  const { preset, data } = options;
  const { adapter, imageSize } = preset.flow;
  const streamed = data.find((place) => isPrepared(place));
  if (streamed !== undefined)
    throw new Error(`${streamed}: scenes are not read from prepared sets yet; name the shards themselves as --data`);
  const encoder = await openRepresentation(options);
  const network = encoder.bundle.encoder;
  const base = await loadFlowBase(options.base, preset);
  base.base.checkpointBlocks = adapter.checkpoint;
  if (encoder.fresh && adapter.encoderRate === 0) {
    throw new Error(
      `the representation "${preset.representation.kind}" starts from nothing, and flow.adapter.encoderRate=0 would leave it so; add --set flow.adapter.encoderRate=1, or name its trained weights with --encoder`,
    );
  }
  const scenes = await openStagePeople(options, { imageSize, pictures: "scenes" });
  const photos = await openStagePeople(options, {
    imageSize: preset.mtd.imageSize,
    pictures: "portraits",
    backbone: network.backbone,
  });
  checkSame(scenes.people, photos.people);
  if (encoder.fresh) await startRepresentation(network, preset, photos.people);

  const { decoder, before } = await openAdapter(options.adapter, {
    preset,
    base: base.base,
    encoder: network,
    people: photos.people,
  });
  const model = new FlowModel(network, decoder, { base: learningBase(preset, base.base) });
  const validation = scenes.validation && photos.validation && { scenes: scenes.validation, photos: photos.validation };
  const stage = new FlowStage({
    model,
    base: base.base,
    people: scenes.people,
    photos: photos.people,
    ...stageSettings(options),
    heldOut: validation && ((step) => reportOn({ model, base: base.base, preset: preset.flow }, validation, step)),
  });
  return {
    stage,
    model,
    people: photos.people,
    encoder,
    encoderFile: join(options.encoder, ENCODER_FILE),
    base,
    // A published model's files are many gigabytes, and are found by themselves.
    ...(!takesPublished(preset) && { baseFolder: options.base }),
    before,
  };
}

/** Both views are of one split of one set. @throws when they are not */
function checkSame(scenes: People, photos: People): void {
  if (scenes.ids.join() === photos.ids.join()) return;
  throw new Error("the people of the scenes and those of the photos differ; delete the cache of prepared people");
}
