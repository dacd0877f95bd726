import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

type AddonName = "torch_native" | "process_environment";

/** Where the addons were built: in this package, unless OMNI_ID_NATIVE names the folder of another build. */
function buildFolder(): string {
  return join(process.env.OMNI_ID_NATIVE || fileURLToPath(new URL("..", import.meta.url)), "build/Release");
}

/** The file of one of the addons, built or not. */
export function addonFile(name: AddonName): string {
  return join(buildFolder(), `${name}.node`);
}

/** Builds the addons where a plain `npm install` left them out, as from a packed tarball: a minute, once. */
function build(): void {
  const script = fileURLToPath(new URL("../scripts/build-native.mjs", import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [script], { stdio: ["ignore", 2, "pipe"], encoding: "utf8" });
  if (status !== 0)
    throw new Error(`the native addon of @omni-id/torch is missing and cannot be built: ${stderr.trim()}`);
}

/** What to do about an addon that the system's loader refuses. */
function remedy(reason: string): string {
  // A torch of CUDA takes these from pip's packages beside it: its own file alone, unpacked, is not enough.
  const nvidia = reason.match(/\blib(?:cu|nv|nccl)\w*\.so[.\d]*(?=: cannot open shared object file)/)?.[0];
  if (nvidia)
    return `the LibTorch it was built on is one for CUDA, and NVIDIA's ${nvidia} is not on this machine: install that torch with all it requires (\`pip install torch\` without --no-deps), name the folder of NVIDIA's libraries in LD_LIBRARY_PATH, or set LIBTORCH to a build for CPUs and run \`npm run setup\``;
  return "build it for this machine and LibTorch: `npm run setup` in the repository, or `node scripts/build-native.mjs --force` in the folder of @omni-id/torch";
}

/**
 * Loads one of the addons that `native/` is built into.
 * @throws when it is missing and cannot be built, or was built for another machine
 */
export function loadAddon(name: AddonName): unknown {
  const file = addonFile(name);
  if (!existsSync(file)) build();
  try {
    return createRequire(import.meta.url)(file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`the native addon does not load: ${reason}\n${remedy(reason)}`);
  }
}
