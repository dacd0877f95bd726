import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

// Two machines: network namespaces with a cable between them, made and taken away here. Needs root and `ip`.
const WORKER = fileURLToPath(new URL("distributed/worker.mjs", import.meta.url));
const id = `omni${process.pid % 10_000}`;
const hosts = [0, 1].map((i) => ({ space: `${id}-${i}`, card: `${id}v${i}`, address: `10.213.7.${i + 1}` }));
const ip = (...args: string[]) => execFileSync("ip", args, { stdio: "pipe" });

/** Why there can be no namespaces here; undefined where there can. */
function obstacle(): string | undefined {
  if (process.getuid?.() !== 0) return "not root";
  const probe = `${id}-probe`;
  const { status, error, stderr } = spawnSync("ip", ["netns", "add", probe], { encoding: "utf8" });
  if (error) return "no `ip` (apt-get install iproute2)";
  if (status !== 0) return stderr.trim();
  spawnSync("ip", ["netns", "del", probe]);
  return undefined;
}

const reason = obstacle();
const running = new Set<ChildProcess>();

interface Said {
  round?: number;
  message?: string;
}

/** A rank on each host. */
function start(rounds: number): { lines: AsyncIterator<string> }[] {
  return hosts.map(({ space }, rank) => {
    const env = {
      ...process.env,
      RANK: `${rank}`,
      WORLD_SIZE: "2",
      MASTER_ADDR: hosts[0].address,
      MASTER_PORT: "29400", // a namespace has all ports to itself
      OMP_NUM_THREADS: "1",
    };
    const command = [process.execPath, WORKER, "link", `${rank}`, "2", "environment", `${rounds}`];
    const child = spawn("ip", ["netns", "exec", space, ...command], { env, stdio: ["ignore", "pipe", "inherit"] });
    running.add(child);
    return { lines: createInterface(child.stdout)[Symbol.asyncIterator]() };
  });
}

async function until({ lines }: { lines: AsyncIterator<string> }, wanted: (said: Said) => boolean): Promise<Said> {
  for (;;) {
    const { value, done } = await lines.next();
    if (done) throw new Error("the rank ended");
    const said = JSON.parse(value) as Said;
    if (wanted(said)) return said;
  }
}
const ended = (said: Said) => said.message !== undefined;

describe.skipIf(reason !== undefined)(`across two hosts${reason ? ` (skipped: ${reason})` : ""}`, () => {
  beforeAll(() => {
    const [a, b] = hosts;
    for (const { space } of hosts) ip("netns", "add", space);
    ip("link", "add", a.card, "netns", a.space, "type", "veth", "peer", "name", b.card, "netns", b.space);
    for (const { space, card, address } of hosts) {
      ip("-n", space, "addr", "add", `${address}/24`, "dev", card);
      ip("-n", space, "link", "set", card, "up");
      ip("-n", space, "link", "set", "lo", "up");
    }
  });
  afterAll(() => {
    for (const child of running) child.kill("SIGKILL");
    for (const { space } of hosts) spawnSync("ip", ["netns", "del", space]);
  });

  test("ranks find each other by MASTER_ADDR, each on its own address", async () => {
    const said = await Promise.all(start(3).map((rank) => until(rank, ended)));
    expect(said).toEqual([{ message: "" }, { message: "" }]);
  });

  test("a slow link takes longer, and nothing else", async (context) => {
    const [{ space, card }] = hosts;
    const slow = ["qdisc", "add", "dev", card, "root", "tbf", "rate", "40mbit", "burst", "32kbit", "latency", "50ms"];
    const { status, error } = spawnSync("ip", ["netns", "exec", space, "tc", ...slow]);
    if (error || status !== 0) context.skip("this kernel has no tbf queue to slow a link with");
    const said = await Promise.all(start(3).map((rank) => until(rank, ended)));
    spawnSync("ip", ["netns", "exec", space, "tc", "qdisc", "del", "dev", card, "root"]);
    expect(said).toEqual([{ message: "" }, { message: "" }]);
  });

  test("a cut link: each side says who is gone", async () => {
    const ranks = start(1_000_000);
    await Promise.all(ranks.map((rank) => until(rank, ({ round }) => round === 3)));
    ip("-n", hosts[0].space, "link", "set", hosts[0].card, "down");
    const [first, second] = await Promise.all(ranks.map((rank) => until(rank, ended)));
    ip("-n", hosts[0].space, "link", "set", hosts[0].card, "up");
    expect(first.message).toMatch(/^rank 0 of 2, all-reduce \d+ \(a megabyte\): rank 1 left, or is stopped/);
    expect(second.message).toMatch(
      /^rank 1 of 2, all-reduce \d+ \(a megabyte\): the process that holds the store \(rank 0, or the launcher\) left or is stopped/,
    );
  });
});
