import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { distributed } from "@omni-id/torch";
import { afterAll, describe, expect, test } from "vitest";

const WORKER = fileURLToPath(new URL("distributed/worker.mjs", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "omni-id-distributed-"));
const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(root, { recursive: true, force: true });
});

type Line = Record<string, unknown>;
interface Rank {
  child: ChildProcess;
  /** The next line that the rank says. */
  next: () => Promise<Line>;
  ended: Promise<number | null>;
}

let stores = 0;
const freshStore = () => join(root, `store-${stores++}`);

function start(name: string, rank: number, size: number, store: string, argument = ""): Rank {
  const child = spawn(process.execPath, [WORKER, name, String(rank), String(size), store, argument], {
    env: { ...process.env, OMP_NUM_THREADS: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  let errors = "";
  child.stderr.on("data", (part) => {
    errors += String(part);
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const ended = new Promise<number | null>((resolve) => {
    child.on("close", (code) => {
      running.delete(child);
      resolve(code);
    });
  });
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`rank ${rank} of ${name} ended with ${await ended}: ${errors}`);
    return JSON.parse(value as string) as Line;
  };
  return { child, next, ended };
}

/** Runs a case on `size` ranks; what each of them said last. */
async function ranks<T = Line>(name: string, size: number, argument = ""): Promise<T[]> {
  const store = freshStore();
  const all = Array.from({ length: size }, (_, rank) => start(name, rank, size, store, argument));
  return (await Promise.all(all.map(({ next }) => next()))) as T[];
}

describe("collectives", () => {
  test("give what their names say, in promises that leave the event loop alone", async () => {
    const said = await ranks<{ values: unknown[]; all: unknown; many: unknown; turns: number; closed: string }>(
      "collectives",
      3,
    );
    for (const [rank, { values, all, many, turns, closed }] of said.entries()) {
      expect(values).toEqual([[6, 6, 6], [2, 2], [2, 0], [1, 1], [[3 * rank, 3]]]);
      expect(all).toEqual([
        [0, 7],
        [1, 7],
        [2, 7],
      ]);
      expect(many).toEqual([[6], [12], [18]]);
      if (rank > 0) expect(turns).toBeGreaterThan(3);
      expect(closed).toContain("this process group is closed");
    }
  });

  test("ranks that bring different things are told what each brought, and go on", async () => {
    for (const said of await ranks<Record<string, string>>("mismatch", 2)) {
      expect(said.shapes).toContain(
        "(weights) is not the same on all ranks: rank 0: all-reduce of float32[3, 2] by sum; rank 1: all-reduce of float32[2, 3] by sum",
      );
      expect(said.calls).toContain("rank 0: broadcast of float32[1] from rank 0; rank 1: barrier");
      expect(said.dtypes).toContain("rank 0: all-gather of float32[2]; rank 1: all-gather of float64[2]");
      expect(said.strided).toContain("strided view");
      expect(said.modules).toContain(
        "number 1 is weight float32[4,2] trained on rank 0 and weight float32[3,2] trained on rank 1",
      );
      expect(said.after).toEqual([2]);
    }
  });
});

describe("who left", () => {
  test("a rank that is killed is named by all others, at once", async () => {
    const store = freshStore();
    const all = [0, 1, 2].map((rank) => start("leave", rank, 3, store));
    await Promise.all(all.map(({ next }) => next()));
    all[1].child.kill("SIGKILL");
    for (const rank of [0, 2]) {
      const { message, again } = await all[rank].next();
      expect(message).toMatch(
        new RegExp(
          `^rank ${rank} of 3, all-reduce \\d+ \\(a thousand ones\\): rank 1 left, or is stopped: no answer within`,
        ),
      );
      expect(again).toBe(message);
    }
  });

  test("so is one that is stopped, when the time is up", async () => {
    const store = freshStore();
    const all = [0, 1, 2].map((rank) => start("leave", rank, 3, store));
    await Promise.all(all.map(({ next }) => next()));
    all[2].child.kill("SIGSTOP");
    for (const rank of [0, 1]) expect((await all[rank].next()).message).toContain("rank 2 left, or is stopped");
    all[2].child.kill("SIGKILL");
  });

  test("a rank that lives and is late is told from one that left", async () => {
    const [first, second] = await ranks<{ message: string }>("late", 2);
    expect(first.message).toContain("every rank answers; rank 1 is past barrier 1 (all are here), with no other begun");
    expect(first.message).toContain("not done within 2.000 s");
    expect(second.message).toMatch(/every rank answers|left/);
  });

  test("ranks that never come are named", async () => {
    const [{ message }] = await Promise.all([start("lonely", 0, 3, freshStore()).next()]);
    expect(message).toContain("rank 1, 2 of 3 did not come within 1 s; here: rank 0.");
  });

  test("two processes of one rank are told so", async () => {
    const { messages } = (await start("sameRank", 0, 2, freshStore()).next()) as { messages: string[] };
    expect(messages.join()).toContain("two processes say that they are rank 0");
  });

  test("after a backward that threw, a rank gives no half sums", async () => {
    const [first, second] = await ranks<{ message: string; again: string }>("broken", 2);
    expect(first.message).not.toBe("");
    expect(second.message).toContain("out of luck");
    expect(second.again).toContain("an earlier backward failed on this rank");
  });
});

interface Trained {
  weights: Record<string, number[]>;
  state: Record<string, number[]>;
  losses: number[];
  statistics?: distributed.ExchangeStatistics;
}

/** The greatest difference between two runs' weights. */
function difference(a: Trained, b: Trained): number {
  const differences = Object.entries(a.weights).flatMap(([key, values]) =>
    values.map((value, i) => Math.abs(value - b.weights[key][i])),
  );
  return Math.max(...differences);
}

describe("data parallelism", () => {
  const parallel = (size: number, options: object) => ranks<Trained>("parallel", size, JSON.stringify(options));

  test.each([
    { dtype: "float64", tolerance: 1e-12 },
    { dtype: "float32", tolerance: 1e-6 },
  ])("two ranks are one with the whole batch, in $dtype", async ({ dtype, tolerance }) => {
    const [[alone], together, again] = [
      await parallel(1, { dtype }),
      await parallel(2, { dtype }),
      await parallel(2, { dtype }),
    ];
    expect(difference(alone, together[0])).toBeLessThanOrEqual(tolerance);
    expect(together[0].weights).toEqual(together[1].weights);
    expect(again).toEqual(together.map((said, i) => ({ ...said, statistics: again[i].statistics })));
    // Twelve rows: the mean of the halves' losses is the whole's.
    for (const [i, loss] of alone.losses.entries())
      expect((together[0].losses[i] + together[1].losses[i]) / 2).toBeCloseTo(loss, dtype === "float64" ? 12 : 5);
    const { statistics } = together[0];
    expect(statistics?.buckets).toBeGreaterThan(3);
    expect(statistics?.passes).toBe(5);
    // The shared block's gradients come twice: known after the first pass; the extra layer comes and goes.
    expect(statistics?.repeated).toBeLessThan(5 * (statistics?.buckets ?? 0));
  });

  test("what no rank uses has no gradient, and stays where it is", async () => {
    const [[alone], [together]] = [
      await parallel(1, { dtype: "float64", steps: 1 }),
      await parallel(2, { dtype: "float64" }),
    ];
    expect(together.weights["never.weight"]).toEqual(alone.weights["never.weight"]);
    expect(together.weights["frozen.weight"]).toEqual(alone.weights["frozen.weight"]);
  });

  test("three ranks, one bucket, and steps of several passes give the same", async () => {
    const [alone] = await parallel(1, { dtype: "float64" });
    for (const [size, options] of [
      [3, {}],
      [2, { bucketBytes: 1e9 }],
      [2, { accumulate: 3 }],
    ] as const)
      expect(difference(alone, (await parallel(size, { dtype: "float64", ...options }))[0])).toBeLessThanOrEqual(1e-12);
  });

  test("a divided optimiser moves the parameters as a whole one, and its state is the whole one's", async () => {
    const [alone] = await parallel(1, { dtype: "float64" });
    const divided = await parallel(2, { dtype: "float64", sharded: true });
    expect(difference(alone, divided[0])).toBeLessThanOrEqual(1e-12);
    expect(divided[0].weights).toEqual(divided[1].weights);
    expect(Object.keys(divided[0].state).sort()).toEqual(Object.keys(alone.state).sort());
    for (const [key, values] of Object.entries(alone.state))
      for (const [i, value] of values.entries()) expect(divided[0].state[key][i]).toBeCloseTo(value, 12);
    expect(divided[1].state).toEqual({});
    // Saved by two ranks, gone on with by three.
    const [whole] = await parallel(1, { dtype: "float64", steps: 8 });
    const { weights, state } = divided[0];
    const [further] = await ranks<Trained>("goOn", 3, JSON.stringify({ weights, state }));
    expect(difference(whole, further)).toBeLessThanOrEqual(1e-12);
  });
});

describe("launch", () => {
  const launch = async (env: NodeJS.ProcessEnv, restarts: number) => {
    const lines: Line[] = [];
    const result = await distributed.launch({
      processes: 2,
      command: process.execPath,
      args: () => [WORKER, "environment", "0", "0", ""],
      env,
      restarts,
      threads: 2,
      onLine: (_, line, stream) => {
        if (stream === "stdout") lines.push(JSON.parse(line) as Line);
      },
    });
    return { result, lines };
  };

  test("gives each process its rank, its threads, and a store without a fixed port", async () => {
    const { result, lines } = await launch({}, 0);
    expect(result).toEqual({ code: 0, attempts: 1, reason: "" });
    expect(lines.map(({ rank }) => rank).sort()).toEqual([0, 1]);
    for (const line of lines) expect(line).toMatchObject({ value: [3], threads: "1", attempt: "0" });
  });

  test("starts all again when one ends badly, as often as it may", async () => {
    const { result, lines } = await launch({ FAIL_AT_ATTEMPT: "0" }, 1);
    expect(result).toEqual({ code: 0, attempts: 2, reason: "" });
    expect(lines.filter(({ attempt }) => attempt === "1")).toHaveLength(2);
    const { result: refused } = await launch({ FAIL_AT_ATTEMPT: "0" }, 0);
    expect(refused).toEqual({ code: 9, attempts: 1, reason: "rank 1 ended with code 9" });
  });
});

describe("rendezvousOf", () => {
  const torchrun = { RANK: "1", WORLD_SIZE: "4", LOCAL_RANK: "1", MASTER_ADDR: "node7", MASTER_PORT: "29500" };

  test("reads torchrun's and SLURM's variables", () => {
    expect(distributed.rendezvousOf({})).toBeUndefined();
    const store = { host: "node7", port: 29500, serves: false };
    expect(distributed.rendezvousOf(torchrun)).toEqual({ rank: 1, worldSize: 4, localRank: 1, store, attempt: "0" });
    const slurm = { SLURM_PROCID: "0", SLURM_NTASKS: "2", SLURM_LOCALID: "0", MASTER_ADDR: "n", MASTER_PORT: "1" };
    expect(distributed.rendezvousOf(slurm)?.store.serves).toBe(true);
    expect(distributed.rendezvousOf({ SLURM_PROCID: "0", SLURM_NTASKS: "1" })).toBeUndefined();
    const agent = { ...torchrun, RANK: "0", TORCHELASTIC_USE_AGENT_STORE: "True", TORCHELASTIC_RESTART_COUNT: "2" };
    expect(distributed.rendezvousOf(agent)).toMatchObject({ attempt: "2", store: { serves: false } });
  });

  test("says what is missing or wrong", () => {
    expect(() => distributed.rendezvousOf({ RANK: "0", WORLD_SIZE: "2" })).toThrow("missing: MASTER_ADDR, MASTER_PORT");
    expect(() => distributed.rendezvousOf({ ...torchrun, RANK: "4" })).toThrow("RANK=4 is not below WORLD_SIZE=4");
    expect(() => distributed.rendezvousOf({ ...torchrun, MASTER_PORT: "http" })).toThrow("MASTER_PORT=http: expected");
  });
});
