import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, expect, it } from "vitest";
import { Keeper } from "../src/stream/keeper.ts";
import { originOf } from "../src/stream/place.ts";
import { failingServer } from "./failing-server.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-keeper-"));
afterAll(() => rmSync(root, { recursive: true }));

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await wait(10);
}

it("brings shards here until the disk's share is used up, and a server that has none ends nothing", async () => {
  const served = join(root, "served");
  mkdirSync(served);
  const shards = ["a.tar", "b.tar", "c.tar"].map((name) => {
    const bytes = randomBytes(4000);
    writeFileSync(join(served, name), bytes);
    return { name, sha256: createHash("sha256").update(bytes).digest("hex") };
  });
  const server = await failingServer(served);
  const origin = originOf(server.url, join(root, "cache"), { retries: 2, wait: 1, timeout: 2000 });
  const keeper = new Keeper(6000);
  server.failures.push(503, "cut");
  for (const shard of [shards[0], shards[0], { name: "none.tar", sha256: "" }, shards[1], shards[2]]) {
    keeper.want({ origin, ...shard });
  }
  const here = (name: string) => existsSync(join(origin.folder, name));
  await until(() => here("b.tar"));
  expect(readFileSync(join(origin.folder, "a.tar")).equals(readFileSync(join(served, "a.tar")))).toBe(true);
  expect(keeper.troubles).toEqual([`${server.url}/none.tar: 404 Not Found: no such file`]);
  // The third one would be more than there may be. What is here is not fetched again by another run.
  const asked = server.asked.length;
  const next = new Keeper(20_000);
  next.want({ origin, ...shards[0] });
  next.want({ origin, ...shards[2] });
  await until(() => here("c.tar"));
  expect(server.asked.slice(asked)).toEqual(["/c.tar"]);
  expect(server.asked.slice(0, asked)).toEqual(["/a.tar", "/a.tar", "/a.tar", "/none.tar", "/b.tar"]);
  await Promise.all([keeper.close(), next.close(), server.close()]);
});
