import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { native } from "../src/native.ts";
import { testFused } from "./fused-cases.ts";
import { testModulated } from "./fused-modulate.ts";
import { testNonFinite } from "./fused-nonfinite.ts";

// Every instruction set that this processor has, the tests once each: what runs on a user's machine is one of them.
const [best, ...levels] = native.simdLevels();
describe.each(levels)("loops for %s", (level) => {
  beforeAll(() => {
    native.simdLevels(level);
  });
  afterAll(() => {
    native.simdLevels(best);
  });
  testFused();
  testModulated();
  testNonFinite();
});

describe("which loops are used", () => {
  const folder = process.env.OMNI_ID_NATIVE || fileURLToPath(new URL("..", import.meta.url));
  const addon = join(folder, "build/Release/torch_native.node");
  const chosen = (limit: string) => {
    const code = `process.stdout.write(require(${JSON.stringify(addon)}).simdLevels()[0])`;
    return execFileSync(process.execPath, ["-e", code], {
      env: { ...process.env, OMNI_ID_SIMD: limit },
      encoding: "utf8",
    });
  };
  test.each(levels)("OMNI_ID_SIMD=%s limits them to that", (level) => expect(chosen(level)).toBe(level));
  test("the best that the processor has, where nothing limits them", () => {
    expect(best).toBe(process.env.OMNI_ID_SIMD ?? levels.at(-1));
    expect(chosen("amx")).toBe(levels.at(-1));
    expect(() => native.simdLevels("neon")).toThrow('no loops of level "neon"');
  });
});
