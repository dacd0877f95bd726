import type { Studio, StudioOptions } from "./types.ts";

/**
 * Opens an export: reads its manifest; models are fetched when they are first needed.
 * @throws when the manifest is missing, or of another version than this program
 */
export async function openStudio({ fetchModel }: StudioOptions): Promise<Studio> {
  await fetchModel("manifest.json");
  throw new Error("the browser's engine is not there yet");
}
