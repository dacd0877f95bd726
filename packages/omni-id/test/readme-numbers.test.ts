import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { resolvePreset } from "../src/presets/index.ts";
import { stageCommandLine } from "../src/train/commands.ts";
import { modelCard } from "../src/train/model-card.ts";

interface Script {
  fill(text: string, results: string): string;
  inconsistencies(root: string): string[];
}
const file = new URL("../../../scripts/readme-numbers.mjs", import.meta.url);
const { fill, inconsistencies } = (await import(file.href)) as Script;

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "omni-id-numbers-"));
  for (const folder of ["results", "weights/nano"]) mkdirSync(join(root, folder), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

const results = () => join(root, "results");
const write = (name: string, content: unknown) =>
  writeFileSync(join(root, name), typeof content === "string" ? content : JSON.stringify(content));
const estimate = (mean: number) => ({ mean, ci: [mean - 0.01, mean + 0.01] });
const conditions = (of: (i: number) => unknown) =>
  Object.fromEntries(["1", "3", "5", "identityRemoved", "otherIdentity"].map((key, i) => [key, of(i)]));
const recogniser = {
  ...conditions((i) => estimate(0.5 + i / 100)),
  samePerson: estimate(0.4),
  otherPerson: estimate(0.7),
};
const machine = { commit: "abc", date: "2025-01-01", hardware: "a machine" };
const report = {
  ...machine,
  seed: 7,
  weights: "nano 01234567",
  identities: 44,
  images: 528,
  l1: conditions((i) => 0.04 + i / 1000),
  l1Interval: conditions(() => [0.03, 0.05]),
  recognisers: { independent: recogniser, backbone: recogniser },
  closed: { "1": estimate(0.6), "3": estimate(0.7), "5": estimate(0.71) },
  differences: { independent: { "3 − 1": estimate(-0.012), "5 − 1": estimate(0.004) } },
  perPerson: {},
  verification: Object.fromEntries(
    ["1", "3", "5"].map((count) => [
      count,
      { recogniser: { auc: 0.98, ci: [0.97, 0.99] }, carried: { auc: 0.98, ci: [0.97, 0.99] }, learnt: { auc: 0.9 } },
    ]),
  ),
};

/** A table's columns stand below each other by spaces. */
const withoutPadding = (text: string) => text.replaceAll(/ {2,}/g, " ");

describe("tables of numbers", () => {
  const text = "# Title\n\n<!-- numbers:first-stage -->\n<!-- /numbers:first-stage -->\n\nmore\n";

  it("are filled from the results, again and again to the same text", () => {
    write("results/first-stage.json", report);
    const once = fill(text, results());
    const told = withoutPadding(once);
    expect(told).toContain("| from 3 photos | 0.0410 (0.0300–0.0500) | 0.510 (0.500–0.520) |");
    expect(told).toContain("| _a real view of somebody else_ | | 0.700 (0.690–0.710) |");
    expect(once).toContain("close 60 % (59–61) / 70 % (69–71) / 71 % (70–72) of the way");
    expect(once).toContain(
      "three photos instead of one change its distance by −0.012 (−0.022 to −0.002), five by +0.004",
    );
    expect(told).toContain("| the recogniser itself | 0.9800 (0.9700–0.9900) |");
    expect(told).toContain("| the learnt tokens of ℓ alone | 0.9000 (one person) |");
    expect(once).toContain("commit abc, seed 7, 2025-01-01, a machine");
    expect(once).toMatch(/\nmore\n$/);
    expect(fill(once, results())).toBe(once);
    write("results/first-stage.json", { ...report, seed: 8 });
    expect(fill(once, results())).not.toBe(once);
  });

  it("show further judges, and differences to another report person by person", () => {
    const differences = { l1: { "3": estimate(-0.02) }, independent: { "3": estimate(0.02) } };
    const more = {
      recognisers: { ...report.recognisers, R100: recogniser },
      against: { report: "other.json", differences },
    };
    write("results/first-stage.json", { ...report, ...more });
    const told = withoutPadding(fill(text, results()));
    expect(told).toContain("| backbone's recogniser, cosine ↑ | R100, cosine ↑ |");
    expect(told).toContain(
      "Less the figures of `other.json`, person by person, at three photos: L1 in the face −0.0200",
    );
  });

  it("say how to measure what was not measured yet", () => {
    expect(fill(text, results())).toContain("_Not measured yet: `npx omni-id evaluate`_");
    write("results/first-stage.json", { ...report, perPerson: undefined });
    expect(fill(text, results())).toContain("_Measured by an older version, in another way; not measured again yet:");
  });

  it("of the benchmarks show ratios, goals, and what was not run", () => {
    write("results/bench.json", {
      ...machine,
      results: {
        "train step": { seconds: 0.51234, pytorchSeconds: 1.2, ratio: 0.7, peakMB: 900, goal: "ratio ≤ 0.75: met" },
        dispatch: { microseconds: 12.345, commit: "0123456789ab" },
        "fused kernels": { rows: [{ name: "gelu", precision: "float32", ratio: 0.456 }] },
        jax: { skipped: "no such peer\nat line 3" },
      },
    });
    const filled = withoutPadding(fill("<!-- numbers:bench -->\n<!-- /numbers:bench -->", results()));
    const step = "**0.70** of PyTorch's time (512 ms against 1.20 s); 0.90 GB at most";
    expect(filled).toContain(`| train step | ${step} | ratio ≤ 0.75: met | \`abc\` |`);
    expect(filled).toContain("| dispatch | microseconds 12.3 | | `0123456` |");
    expect(filled).toContain("| jax | not run: no such peer | | `abc` |");
    expect(filled).not.toContain("| on |");
    const kernels = withoutPadding(fill("<!-- numbers:kernels -->\n<!-- /numbers:kernels -->", results()));
    expect(kernels).toContain("| gelu | float32 | 0.46 |");
  });

  it("of benchmarks on several hosts name the host of each", () => {
    const results1 = { step: { ratio: 1, hardware: "old host", date: "2026-01-01" }, dispatch: { microseconds: 1 } };
    write("results/bench.json", { ...machine, results: results1 });
    const filled = withoutPadding(fill("<!-- numbers:bench -->\n<!-- /numbers:bench -->", results()));
    expect(filled).toContain("| benchmark | result | goal | on | at |");
    expect(filled).toContain("| step | ratio 1 | | old host | `abc` |");
  });

  it("that do not exist, or do not end, are errors", () => {
    expect(() => fill("<!-- numbers:weather -->\n<!-- /numbers:weather -->", results())).toThrow(/no table "weather"/);
    expect(() => fill("<!-- numbers:bench -->\n", results())).toThrow(/opened and not closed/);
  });
});

describe("model cards", () => {
  const preset = resolvePreset("nano", ["mtd.batch=8", "mtd.inputs=[3]", "mtd.loss.likeness=0.2"]);
  const command = stageCommandLine({ stage: "mtd", preset, seed: 4, precision: "bfloat16" });
  const metadata = { data: "omni-id data synth --seed 3", command, people: "1412", steps: "4000", commit: "abc" };
  const card = (hash: string) =>
    modelCard({
      file: "omni-id-encoder.safetensors",
      hash,
      size: 5e6,
      parameters: 1402112,
      dtype: "float16",
      preset,
      metadata,
    });

  it("tell the commands that make the same weights, in words of a shell", () => {
    expect(command).toContain("omni-id train mtd --seed 4 --precision bfloat16 --set mtd.batch=8");
    expect(command).toContain("'mtd.inputs=[3]'");
    expect(card("ff")).toContain(
      `npx omni-id data synth --seed 3\nnpx ${command}\nnpx omni-id export -o weights/nano\n`,
    );
  });

  it("tell data, steps, loss and limits, with a place for the numbers", () => {
    const text = card("ff");
    expect(text).toContain("| training people | 1412 rendered people;");
    expect(text).toContain("1,402,112, stored as float16");
    expect(text).toContain("0.2 × likeness through the backbone's recogniser (not in the paper)");
    expect(text).toContain("LibTorch not noted");
    expect(fill(text, results())).toContain("_Not measured yet");
    expect(text).toContain("## Limits");
  });

  it("and numbers of other weights are found out", () => {
    const weights = "weights of a model";
    const hash = createHash("sha256").update(weights).digest("hex");
    write("weights/nano/omni-id-encoder.safetensors", weights);
    write("weights/nano/omni-id-encoder.md", card(hash));
    write("results/first-stage.json", { ...report, weights: `nano ${hash.slice(0, 8)}` });
    expect(inconsistencies(root)).toEqual([]);
    write("weights/nano/omni-id-encoder.safetensors", "other weights");
    expect(inconsistencies(root)).toEqual([
      expect.stringMatching(/first-stage\.json was measured on other weights/),
      expect.stringMatching(/omni-id-encoder\.md is the card of another file/),
    ]);
  });

  it("real people: both halves beside each other, and one alone", () => {
    const each = Object.fromEntries(["1", "3", "5"].map((key) => [key, estimate(0.3)]));
    const half = {
      ...{
        ...machine,
        seed: 7,
        data: "99 people",
        people: 30,
        targets: 240,
        guidance: 1.5,
        landmarks: true,
        found: 0.98,
      },
      distance: { ...each, otherIdentity: estimate(0.75), samePerson: estimate(0.41), otherPerson: estimate(0.82) },
      net: each,
      differences: { "5 − 1": estimate(-0.02) },
      firstOf: each,
      photos: { "1": 1, "3": 1.9, "5": 2.2 },
      poseError: estimate(11.25),
      frechet: { drawn: 0.61, base: 0.38, roundTrip: 0.45, real: 0.46 },
    };
    write("results/real-people.json", { shipped: half });
    const marked = "<!-- numbers:real-people -->\n<!-- /numbers:real-people -->";
    const alone = fill(marked, results());
    expect(alone).toContain("| net share of the way ↑, 3 photos");
    expect(alone).toContain("30 % (29–31)");
    expect(alone).not.toContain("trained on real people");
    write("results/real-people.json", { shipped: half, trained: { ...half, commit: "def" } });
    const both = fill(marked, results());
    expect(both).toMatch(/\| shipped weights +\| trained on real people/);
    expect(both).toContain("trained on real people: five photos instead of one change the distance by −0.020");
    expect(both).toContain("1 / 3 / 5 were asked for: 1.0 / 1.9 / 2.2");
  });
});
