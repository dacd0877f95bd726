import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/** Debian's package libonnx-testdata. */
const there = existsSync("/usr/share/libonnx-testdata/data/node");

test.runIf(there)(
  "no node test of the ONNX standard gives another value than the standard's: each passes or is refused",
  () => {
    const script = fileURLToPath(new URL("../scripts/onnx-node-tests.mjs", import.meta.url));
    const { status, stdout } = spawnSync(process.execPath, [script], { encoding: "utf8" });
    expect(stdout.split("\n").filter((line) => line.startsWith("WRONG"))).toEqual([]);
    expect(status).toBe(0);
  },
  300_000,
);
