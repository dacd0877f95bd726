import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { assetPath } from "./assets.ts";
import type { ModelEntry } from "./model-entries.ts";

/**
 * A model's file, checked against its hash.
 * @throws when it is missing, or is not the file this code was written for
 */
export function modelFile(model: ModelEntry): string {
  const path = assetPath(model.package, model.file);
  const hash = createHash("sha256").update(readFileSync(path)).digest("hex");
  if (hash !== model.sha256) {
    throw new Error(
      `${path}: damaged (SHA-256 ${hash.slice(0, 12)}…, expected ${model.sha256.slice(0, 12)}…); delete its folder and run: npx omni-id models --fetch`,
    );
  }
  return path;
}
