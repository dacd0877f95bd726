// `npm run test:studio`: the studio's page in a real browser, both modes. Installs Debian's chromium where it is missing
// (for these tests alone), writes an export with the shipped models, and runs the tests on it.
// usage: test-studio.mjs [words of vitest …] · test-studio.mjs --screenshots writes docs/studio.png and out/studio · --bench writes
// results/studio.json
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const chromium = process.env.CHROMIUM ?? "/usr/bin/chromium";
const folder = fileURLToPath(new URL("../out/studio-export", import.meta.url));

function run(command, args, env = {}) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit", env: { ...process.env, ...env } });
  if (status !== 0) process.exit(status ?? 1);
}

if (!existsSync(chromium)) {
  const install = "apt-get update && apt-get install -y --no-install-recommends chromium";
  if (process.getuid?.() !== 0) {
    console.error(`these tests need a browser; as root, run:\n  ${install}\nor name one: CHROMIUM=/path/to/chromium`);
    process.exit(1);
  }
  run("sh", ["-c", install], { DEBIAN_FRONTEND: "noninteractive" });
}
run(process.execPath, ["packages/omni-id/bin/omni-id.mjs", "export", "--web", folder]);
const words = process.argv.slice(2);
const script = { "--screenshots": "screenshots.mjs", "--bench": "bench.mjs" }[words[0]];
if (script) run(process.execPath, [`packages/studio/scripts/${script}`, folder]);
else {
  const config = ["--config", "vitest.page.config.ts", "--root", "packages/studio"];
  run("npx", ["vitest", "run", ...config, ...words], { STUDIO_EXPORT: folder });
}
