import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { KeyedRandom } from "@omni-id/data";
import { describe, expect, it } from "vitest";

const script = fileURLToPath(new URL("fixtures/toy-run.mjs", import.meta.url));
const STEPS = 120;

/** Runs the toy; kills it (SIGKILL) once `killAt` lines were printed. Resolves with the exit code and what it said. */
function run(folder: string, { killAt, nanAt, where }: { killAt?: number; nanAt?: number; where?: string } = {}) {
  return new Promise<{ code: number | null; text: string }>((resolve) => {
    const child = spawn(process.execPath, [script, folder, String(STEPS), String(nanAt ?? ""), where ?? "loss"]);
    let text = "";
    child.stderr.on("data", (part: Buffer) => {
      text += part.toString();
      if (killAt !== undefined && text.split("\nstep ").length > killAt) child.kill("SIGKILL");
    });
    child.on("close", (code) => resolve({ code, text }));
  });
}

const folder = () => mkdtempSync(join(tmpdir(), "loop-"));
const checkpoint = (out: string) => readFileSync(join(out, "last.safetensors"));

describe("train", () => {
  it("ends in the same bytes whether or not it was killed on the way", async () => {
    const [whole, killed] = [folder(), folder()];
    expect((await run(whole)).code).toBe(0);

    const random = new KeyedRandom(Date.now());
    let kills = 0;
    for (let attempt = 0; attempt < 30; attempt++) {
      const { code } = await run(killed, { killAt: 2 + random.below(5) });
      if (code === 0) break;
      kills++;
    }
    expect(kills).toBeGreaterThan(0);
    expect((await run(killed)).code).toBe(0);
    expect(checkpoint(killed).equals(checkpoint(whole))).toBe(true);

    const steps = (out: string) =>
      readFileSync(join(out, "log.jsonl"), "utf8")
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { step: number }).step);
    expect(steps(killed)).toEqual(steps(whole));
  });

  it("stops at a loss that is not finite, names the batch, and leaves a sound checkpoint", async () => {
    const out = folder();
    const { code, text } = await run(out, { nanAt: 35 });
    expect(code).not.toBe(0);
    expect(text).toMatch(/step 35: the loss is NaN. Batch: toy images 1, 2 and 3. The checkpoint of step 30 is sound/);
    expect(existsSync(join(out, "last.safetensors"))).toBe(true);
    expect((await run(out)).code).toBe(0);
  });

  it("stops at a gradient that is not finite before weights and checkpoint are touched", async () => {
    const [whole, stopped] = [folder(), folder()];
    expect((await run(whole)).code).toBe(0);
    const { code, text } = await run(stopped, { nanAt: 35, where: "gradient" });
    expect(code).not.toBe(0);
    expect(text).toMatch(
      /step 35: the gradient of "out\.weight" is not finite \(norm NaN\), though the loss is 0\.\d+/,
    );
    expect(text).toMatch(/Batch: toy images 1, 2 and 3\. The checkpoint of step 30 is sound/);
    expect((await run(stopped)).code).toBe(0);
    expect(checkpoint(stopped).equals(checkpoint(whole))).toBe(true);

    const first = folder();
    const early = await run(first, { nanAt: 1, where: "gradient" });
    expect(early.text).toMatch(/step 1: .*Nothing was saved yet/);
    expect(existsSync(join(first, "last.safetensors"))).toBe(false);
  });

  it("saves on Ctrl-C and says how to go on", async () => {
    const out = folder();
    const child = spawn(process.execPath, [script, out, "100000"]);
    let text = "";
    let told = false; // a second one would mean at once
    await new Promise<void>((resolve) => {
      child.stderr.on("data", (part: Buffer) => {
        text += part.toString();
        if (text.includes("step 20/") && !told) told = child.kill("SIGINT");
      });
      child.on("close", () => resolve());
    });
    expect(text).toMatch(/the checkpoint is saved. Go on with the same command and --resume/);
    expect(existsSync(join(out, "last.safetensors"))).toBe(true);
  });
});
