import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { fullSize } from "../src/proof/full-size.ts";
import { operators } from "../src/proof/operators.ts";
import { parity } from "../src/proof/parity.ts";
import type { Part, ProofContext } from "../src/proof/part.ts";
import { prove } from "../src/proof/proof.ts";
import { trainingSteps } from "../src/proof/stages.ts";
import { TINY_FIRST_STAGE } from "./tiny-weights.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-proof-"));
afterAll(() => rmSync(root, { recursive: true }));

const context: ProofContext = {
  device: "cpu",
  golden: fileURLToPath(new URL("fixtures", import.meta.url)),
  steps: 2,
  full: false,
  note: () => {},
};
const tiny = [
  ...TINY_FIRST_STAGE.filter((set) => !set.includes("likeness")),
  "mtd.batch=2",
  "flow.flux.width=32",
  "flow.flux.heads=2",
  "flow.flux.axes=[4,6,6]",
  "flow.flux.singleBlocks=1",
  "flow.base.batch=4",
  "flow.adapter.batch=2",
  "flow.control.batch=4",
];

describe("the proof of a device, on the processor", () => {
  const parts: Record<string, Part> = { operators, parity, stages: trainingSteps(tiny), fullSize };
  it.each(Object.keys(parts))("%s: finds that the processor computes what the processor does", (name) => {
    const { parts: told, failed, passed } = prove({ [name]: parts[name] }, context);
    expect(told[name].error).toBeUndefined();
    expect(told[name].findings.filter(({ value, limit = 1e9 }) => !(value <= limit))).toEqual([]);
    expect(failed).toBe(0);
    expect(passed).toBeGreaterThan(name === "fullSize" ? 1 : 3);
  });

  it("tells a part that throws, a number that is too large and one that is none, and goes on", () => {
    const file = join(root, "gpu.json");
    const report = prove(
      {
        broken: function* () {
          yield { name: "first", value: 0, limit: 1 };
          throw new Error("no such device");
        },
        far: () => [
          { name: "too far", value: 2, limit: 1 },
          { name: "none", value: Number.NaN, limit: 1 },
          { name: "told", value: 3 },
        ],
      },
      context,
      { file, card: "a card" },
    );
    expect(report).toMatchObject({
      passed: 1,
      failed: 3,
      card: "a card",
      parts: { broken: { error: "no such device" } },
    });
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({
      failed: 3,
      parts: { far: { findings: [{ value: 2 }, {}, {}] } },
    });
  });
});
