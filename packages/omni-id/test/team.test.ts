import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { distributed, loadSafetensors } from "@omni-id/torch";
import { afterAll, describe, expect, test } from "vitest";

const script = fileURLToPath(new URL("fixtures/team-run.mjs", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "omni-id-team-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let made = 0;
function folder(): string {
  const path = join(root, `run-${made++}`);
  mkdirSync(path);
  return path;
}

/** Runs a stage by `size` processes; returns its folder. */
async function run(stage: string, size: number, { steps = 3, out = folder(), env = {} } = {}): Promise<string> {
  const store = join(root, `store-${made++}`);
  const ends = Array.from({ length: size }, (_, rank) => {
    const child = spawn(process.execPath, [script, stage, out, `${steps}`, `${rank}`, `${size}`, store], {
      env: { ...process.env, OMP_NUM_THREADS: "1", ...env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let text = "";
    child.stderr.on("data", (part) => {
      text += String(part);
    });
    return new Promise<void>((resolve, reject) => {
      child.on("close", (code) =>
        code === 0 ? resolve() : reject(new Error(`rank ${rank} ended with ${code}: ${text}`)),
      );
    });
  });
  await Promise.all(ends);
  return out;
}

const checkpoint = (out: string) => readFileSync(join(out, "last.safetensors"));
const lines = (out: string) =>
  readFileSync(join(out, "log.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, number>);

describe.each(["mtd", "base", "flow", "control"])("stage %s", (stage) => {
  test("two processes have the gradients of one with the whole batch", async () => {
    const env = { TEAM_GRADIENTS: "1" };
    const [alone, together] = [await run(stage, 1, { env }), await run(stage, 2, { env })].map((out) =>
      loadSafetensors(join(out, "gradients.safetensors")),
    );
    const loss = Number(alone.metadata.loss);
    expect(Math.abs(Number(together.metadata.loss) - loss)).toBeLessThanOrEqual(1e-6 * Math.abs(loss));
    expect([...together.tensors.keys()]).toEqual([...alone.tensors.keys()]);
    const largest = Math.max(...[...alone.tensors.values()].map((tensor) => tensor.abs().max().item()));
    for (const [key, tensor] of alone.tensors) {
      const other = together.tensors.get(key);
      const apart = other ? tensor.sub(other).abs().max().item() : Number.POSITIVE_INFINITY;
      expect(apart, key).toBeLessThanOrEqual(1e-6 * largest);
    }
  });

  test("three steps of two processes: the same bits each time, the figures of one", async () => {
    const [alone, together, again] = [await run(stage, 1), await run(stage, 2), await run(stage, 2)];
    expect(checkpoint(again).equals(checkpoint(together))).toBe(true);
    for (const [i, line] of lines(alone).entries()) {
      const other = lines(together)[i];
      expect(Object.keys(other)).toEqual(Object.keys(line));
      // Muon may compute in bfloat16, which makes more of the last digit.
      expect(Math.abs(other.loss - line.loss)).toBeLessThanOrEqual(1e-3 * Math.abs(line.loss));
    }
  });
});

test("a divided optimiser moves the weights as a whole one, and its checkpoint serves any number", async () => {
  const env = { TEAM_DIVIDES: "1" };
  const whole = await run("mtd", 2, { steps: 1 });
  const divided = await run("mtd", 2, { env, steps: 1 });
  const weights = (out: string) => loadSafetensors(join(out, "last.safetensors")).tensors;
  const [a, b] = [weights(whole), weights(divided)];
  expect([...b.keys()].sort()).toEqual([...a.keys()].sort());
  for (const [key, tensor] of a) {
    const other = b.get(key);
    expect(other?.shape, key).toEqual(tensor.shape);
    expect(other ? tensor.sub(other).abs().max().item() : 1, key).toBeLessThanOrEqual(1e-6);
  }
  // Three processes, then one, go on from what two have saved.
  await run("mtd", 3, { env, out: divided, steps: 2 });
  await run("mtd", 1, { out: divided, steps: 3 });
  expect(lines(divided).map(({ step }) => step)).toEqual([1, 2, 3]);
  const straight = await run("mtd", 1);
  const [last, other] = [lines(straight)[2].loss, lines(divided)[2].loss];
  expect(Math.abs(other - last)).toBeLessThanOrEqual(1e-2 * last);
});

test("a process that is killed: all start again, and end in the bits of a run that nothing happened to", async () => {
  const launch = async (env: NodeJS.ProcessEnv) => {
    const out = folder();
    const told: string[] = [];
    const result = await distributed.launch({
      processes: 2,
      command: process.execPath,
      args: () => [script, "mtd", out, "4"],
      env,
      restarts: 1,
      threads: 2,
      note: (text) => told.push(text),
      onLine: (rank, line) => told.push(`${rank}: ${line}`),
    });
    expect(result.code, told.join("\n")).toBe(0);
    return { out, told, attempts: result.attempts };
  };
  const [calm, killed] = [await launch({}), await launch({ TEAM_DIES: "1" })];
  expect(calm.attempts).toBe(1);
  expect(killed.attempts).toBe(2);
  expect(killed.told).toContain("rank 1 was ended by SIGKILL; starting all 2 again (1 of 1)");
  expect(killed.told.join("\n")).toMatch(/0: going on from .*, [12] steps done/);
  expect(checkpoint(killed.out).equals(checkpoint(calm.out))).toBe(true);
});

test("a batch that cannot be shared evenly is an exact error", async () => {
  await expect(run("mtd", 4, { steps: 1 })).rejects.toThrow(
    "a step's 6 people (mtd.batch) cannot be shared evenly by 4 processes; set the stage's batch to a multiple of 4",
  );
});
