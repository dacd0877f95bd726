import { AttributeNetwork } from "../../backbones/attribute-network.ts";
import type { People } from "../../people/people.ts";
import { type OpenStageOptions, openStagePeople } from "../stage-people.ts";
import { AttributeStage } from "./stage.ts";

export interface OpenedAttributes {
  stage: AttributeStage;
  model: AttributeNetwork;
  people: People;
}

/** The network that reads attributes, on the scenes of a folder of shards. @throws when no caption tells of any */
export async function openAttributesStage(options: OpenStageOptions): Promise<OpenedAttributes> {
  const { imageSize, width, batch } = options.preset.attributes;
  const { people, validation } = await openStagePeople(options, { imageSize, pictures: "scenes" });
  if (people.captions.every((caption) => caption === "")) {
    throw new Error(`${options.data[0]}: no scene has a caption that tells what it shows: omni-id data synth --scenes`);
  }
  const model = new AttributeNetwork({ imageSize, width });
  return { stage: new AttributeStage({ model, people, validation, batch, seed: options.seed }), model, people };
}
