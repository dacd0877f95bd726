// The tests of packages/torch with the addon built by the address sanitizer, which ends the run with a
// report at the first read or write outside of what was allocated, or of what was freed.
// usage: npm run test:asan -- [what vitest takes]
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "packages/torch/build/asan");
const flags = "-fsanitize=address -fno-omit-frame-pointer -g1";
const environment = { ...process.env, OMNI_ID_NATIVE: folder, OMNI_ID_NATIVE_FLAGS: flags };
execFileSync(process.execPath, [join(root, "packages/torch/scripts/build-native.mjs")], {
  stdio: "inherit",
  env: environment,
});

const library = (name) => execFileSync("g++", [`-print-file-name=${name}`], { encoding: "utf8" }).trim();
const files = process.argv.slice(2);
const vitest = join(root, "node_modules/vitest/vitest.mjs");
const { status } = spawnSync(
  process.execPath,
  [vitest, "run", ...(files.length > 0 ? files : ["packages/torch/test"])],
  {
    cwd: root,
    stdio: "inherit",
    env: {
      ...environment,
      // Node itself is not built so: the sanitizer has to be there first, and libstdc++ for it to find the throws.
      LD_PRELOAD: [library("libasan.so"), library("libstdc++.so.6")].join(":"),
      // What V8 and LibTorch still hold at exit is no leak of ours.
      ASAN_OPTIONS: "detect_leaks=0:quarantine_size_mb=32",
    },
  },
);
process.exitCode = status ?? 1;
