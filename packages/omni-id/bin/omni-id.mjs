#!/usr/bin/env node
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

// `omni-id … | head`: the reader has enough. A disk that is full takes no result: one line says so.
process.stdout.on("error", (error) => {
  if (error.code === "EPIPE") process.exit(0);
  const full = error.code === "ENOSPC" || error.code === "EDQUOT";
  process.stderr.write(`omni-id: stdout took no result: ${full ? "the disk is full" : error.message}\n`, () =>
    process.exit(1),
  );
});

// Nobody reads what is told any more; the work goes on, or is saved.
process.stderr.on("error", () => {});

const main = new URL("../dist/cli/main.js", import.meta.url);
if (existsSync(fileURLToPath(main))) {
  const { run } = await import(main.href);
  process.exitCode = await run(process.argv.slice(2));
} else {
  console.error("omni-id: this checkout is not built yet; run: npm run setup");
  process.exitCode = 1;
}
