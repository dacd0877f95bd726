import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (name: string, file = "index") =>
  fileURLToPath(new URL(`packages/${name}/src/${file}.ts`, import.meta.url));

export default defineConfig({
  // Tests run the sources, not dist, and every package sees one instance of its neighbours.
  resolve: {
    alias: {
      "@omni-id/torch/environment": source("torch", "environment"),
      "@omni-id/torch/plain": source("torch", "plain"),
      "@omni-id/torch": source("torch"),
      "@omni-id/face/assets": source("face", "asset-index"),
      "@omni-id/face/analysis": source("face", "analysis"),
      "@omni-id/face/formats": source("face", "formats"),
      "@omni-id/face/plain": source("face", "plain"),
      "@omni-id/face": source("face"),
      "@omni-id/data/plain": source("data", "plain"),
      "@omni-id/data": source("data"),
      "omni-id/web": source("omni-id", "web/index"),
      "omni-id": source("omni-id"),
      "@omni-id/studio/command": source("studio", "command"),
      "@omni-id/studio/page": source("studio", "page"),
      "@omni-id/studio": source("studio"),
    },
  },
  test: {
    include: ["packages/*/test/**/*.test.ts"],
    pool: "forks", // the native addon keeps process-wide state
    maxWorkers: 2,
    // Nothing is timed: the limit only ends what hangs, on the slowest and busiest machine too.
    testTimeout: 3_600_000,
    hookTimeout: 3_600_000,
  },
});
