import { existsSync } from "node:fs";
import { join } from "node:path";
import { scope } from "@omni-id/torch";
import type { People } from "../../people/people.ts";
import { sample } from "../../people/sample.ts";
import type { Preset } from "../../presets/schema.ts";
import type { Representation } from "../../representations/representation.ts";
import { buildRepresentation } from "../../weights/build.ts";
import { readWeightsPreset } from "../../weights/file.ts";
import { EncoderBundle, type LoadedEncoder, loadRepresentation } from "../../weights/first-stage.ts";
import { ENCODER_FILE } from "../../weights/folder.ts";
import { startFromPretrained } from "../../weights/pretrained.ts";

export interface RepresentationOptions {
  preset: Preset;
  /** Folder of stage one's weights, or of those of another representation. */
  encoder: string;
  note: (text: string) => void;
}

export interface OpenedRepresentation extends Pick<LoadedEncoder<Representation>, "bundle" | "metadata" | "hash"> {
  /** Nothing of it was trained yet; its hash is empty. */
  fresh: boolean;
}

/**
 * What stands for a person: that of given weights, or, of a representation that has no stage one, a fresh one.
 * @throws when the weights hold another representation than the preset names
 */
export async function openRepresentation({
  preset,
  encoder: folder,
  note,
}: RepresentationOptions): Promise<OpenedRepresentation> {
  const { kind } = preset.representation;
  const held =
    kind === "encoder" || existsSync(join(folder, ENCODER_FILE))
      ? readWeightsPreset(join(folder, ENCODER_FILE), "mtd").representation
      : undefined;
  if (held?.kind === kind) {
    if (held.photos === preset.representation.photos || kind === "encoder")
      return { ...(await loadRepresentation(folder)), fresh: false };
    throw new Error(
      `${folder}: its photos enter ${held.photos}, and representation.photos=${preset.representation.photos} is wanted; take the same, or name another folder with --encoder`,
    );
  }
  if (held && held.kind !== "encoder") {
    throw new Error(
      `${folder}: holds the representation "${held.kind}", and representation.kind=${kind} is wanted; name that one, or other weights with --encoder`,
    );
  }
  note(`the representation "${kind}" starts from nothing: it has no stage one`);
  return { bundle: new EncoderBundle(buildRepresentation(preset)), metadata: {}, hash: "", fresh: true };
}

/** A fresh representation before its first step: the backbone's weights, and what is told of people's maps. */
export async function startRepresentation({ backbone }: Representation, preset: Preset, people: People): Promise<void> {
  await startFromPretrained(backbone, preset.backbone);
  scope(() => backbone.standardise?.(people.maps(sample(people, 512))));
}
