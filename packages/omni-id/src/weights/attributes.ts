import { join } from "node:path";
import { AttributeNetwork } from "../backbones/attribute-network.ts";
import { openWeightsFile, saveWeightsFile, type WeightsNote } from "./file.ts";

export const ATTRIBUTES_FILE = "attributes.safetensors";

/** What reads off pictures what a sentence could say of them, with its file's hash. */
export interface LoadedAttributes {
  network: AttributeNetwork;
  /** Side of the pictures that it reads, in pixels. */
  imageSize: number;
  hash: string;
}

export function saveAttributes(
  folder: string,
  { network, ...note }: WeightsNote & { network: AttributeNetwork },
): Promise<string> {
  return saveWeightsFile(join(folder, ATTRIBUTES_FILE), network, note);
}

/** Reads them, frozen. @throws when the file is missing, damaged, or of another shape than its own preset */
export async function loadAttributes(folder: string): Promise<LoadedAttributes> {
  const { preset, tensors, hash } = await openWeightsFile(join(folder, ATTRIBUTES_FILE), "attributes");
  const network = new AttributeNetwork(preset.attributes);
  network.loadStateDict(tensors);
  network.requiresGrad_(false);
  return { network, imageSize: preset.attributes.imageSize, hash };
}
