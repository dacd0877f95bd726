#!/usr/bin/env node
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const command = new URL("../dist/command.js", import.meta.url);
if (existsSync(fileURLToPath(command))) {
  const { studioCommand } = await import(command.href);
  try {
    await studioCommand().name("omni-id-studio").parseAsync();
  } catch (error) {
    console.error(`omni-id-studio: ${error.message}`);
    process.exitCode = 1;
  }
} else {
  console.error("omni-id-studio: this checkout is not built yet; run: npm run setup");
  process.exitCode = 1;
}
