import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { partsOf } from "../src/cli/train-all.ts";
import { resolvePreset } from "../src/presets/index.ts";
import { cli } from "./command-line.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-all-"));
afterAll(() => rmSync(root, { recursive: true }));
const place = (...names: string[]) => join(root, ...names);
const bin = fileURLToPath(new URL("../bin/omni-id.mjs", import.meta.url));

const SHORT = [
  ...["mtd.optimisation.steps=4", "flow.base.optimisation.steps=12"],
  ...["flow.adapter.optimisation.steps=3", "flow.control.optimisation.steps=3"],
  ...["mtd.batch=2", "flow.base.batch=4", "flow.adapter.batch=2", "flow.control.batch=4"],
  ...["mtd.loss.likenessBatch=2", "flow.adapter.likenessBatch=2", "flow.adapter.encoderRate=0.3"],
];
const all = (runs: string, ...set: string[]) => [
  ...["train", "all", "--data", place("data"), "--cache", place("cache"), "--out", place(runs), "--json"],
  ...["--save-every", "1", "--log-every", "1", "--held-out-every", "100", "--set", ...SHORT, ...set],
];

function begin(...args: string[]): { child: ChildProcess; ended: Promise<number | null>; told: () => string } {
  const child = spawn(process.execPath, [bin, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (text += data));
  return { child, ended: new Promise((resolve) => child.on("exit", resolve)), told: () => text };
}

/** Waits for a moment in a program's run; one that has ended will never reach it. */
async function until(holds: () => boolean, { child }: { child: ChildProcess }): Promise<void> {
  while (!holds() && child.exitCode === null) await wait(50);
}

describe("train all", () => {
  it("goes on after Ctrl-C and after kill -9, and what it makes generates", async () => {
    await cli("data", "synth", "--identities", "10", "--images", "8", "--size", "96", "-o", place("data"));

    const killed = begin(...all("runs"));
    await until(() => existsSync(place("runs", "mtd", "last.safetensors")), killed);
    killed.child.kill("SIGKILL");
    expect(await killed.ended, killed.told()).toBe(null);

    const stopped = begin(...all("runs"));
    await until(() => / │ step /.test(stopped.told()), stopped);
    stopped.child.kill("SIGINT");
    expect(await stopped.ended, stopped.told()).toBe(130);

    const { code, out, err } = await cli(...all("runs"));
    expect(code, err).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      weights: place("runs", "weights"),
      minutes: { mtd: 0, "mtd-decoder": 0 },
      atOnce: 2,
    });
    expect(err).toMatch(/^mtd-decoder │ done: 1 steps/m);
    expect(readdirSync(place("runs", "weights"))).toHaveLength(8);

    const folder = ["--weights", place("runs", "weights")];
    const people = await cli(
      "generate",
      ...folder,
      "--pose",
      "20,0,0",
      "-n",
      "2",
      "--steps",
      "2",
      "-o",
      place("two.png"),
    );
    expect(people.code, people.err).toBe(0);
  });

  it("starts every stage from given weights where they are named, and tells at once when they are missing", async () => {
    const missing = await cli(...all("again"), "--from", place("nowhere"));
    expect(missing).toMatchObject({ code: 1, err: expect.stringMatching(/nowhere.*no such weights/) });
    const preset = resolvePreset("nano");
    const options = { out: place("runs"), common: ["--resume"], set: [] };
    const started = partsOf(preset, { ...options, from: "given" });
    const fresh = partsOf(preset, { ...options, from: undefined });
    const lines = (parts: typeof fresh) => Object.fromEntries(parts.map(({ name, args }) => [name, args.join(" ")]));
    expect(lines(started)).toMatchObject({
      mtd: expect.stringContaining("--encoder given --decoder given"),
      base: expect.stringContaining("--base given"),
      flow: expect.stringContaining("--adapter given"),
      control: expect.stringContaining("--control given"),
      // For the encoder as stage two has left it.
      "mtd-decoder": lines(fresh)["mtd-decoder"],
    });
    for (const line of Object.values(lines(fresh))) expect(line).not.toContain("given");
  });

  it("names the part that fails, lets the other one save, and keeps what is done", async () => {
    // Six heads of the rotation's size make a width of 192.
    const { code, err } = await cli(...all("broken", "mtd.optimisation.steps=400", "flow.flux.width=100"));
    expect(code).toBe(1);
    expect(err).toMatch(/base failed, as told above/);
  });
});
