import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const file = fileURLToPath(new URL("../scripts/build-lock.mjs", import.meta.url));
const { withLock } = (await import(file)) as {
  withLock<T>(lock: string, work: () => Promise<T>, options?: { wait?: number }): Promise<T>;
};
const done = async () => "done";

let folder = "";
let lock = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "omni-id-lock-"));
  lock = join(folder, "build/.lock");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the builder's lock", () => {
  test("is gone afterwards, when the work throws too", async () => {
    expect(await withLock(lock, done)).toBe("done");
    await expect(withLock(lock, async () => Promise.reject(new Error("no compiler")))).rejects.toThrow("no compiler");
    expect(existsSync(lock)).toBe(false);
  });

  test("of a builder that was killed before it wrote its pid stops nobody", async () => {
    mkdirSync(lock, { recursive: true }); // as earlier versions left it
    expect(await withLock(lock, done)).toBe("done");
  });

  test("of a builder that is dead stops nobody, and neither does a new process of its number", async () => {
    const { pid } = spawnSync(process.execPath, ["-e", ""]);
    for (const owner of [String(pid), `${pid} 12345`, `${process.pid} 1`]) {
      mkdirSync(join(folder, "build"), { recursive: true });
      writeFileSync(lock, owner);
      expect(await withLock(lock, done)).toBe("done");
    }
  });

  test("holds out those that come while its owner lives, one after the other", async () => {
    const code = `import(${JSON.stringify(file)}).then(({ withLock }) => withLock(${JSON.stringify(lock)}, async () => {
      process.stdout.write("in"); await new Promise((resolve) => process.stdin.once("data", resolve)); }).then(() => process.exit()))`;
    const owner = spawn(process.execPath, ["-e", code], { stdio: ["pipe", "pipe", "inherit"] });
    await once(owner.stdout, "data");
    const order: string[] = [];
    const waiting = ["a", "b"].map(async (name) => {
      await withLock(
        lock,
        async () => {
          order.push(`${name} in`);
          await new Promise((resolve) => setTimeout(resolve, 5));
          order.push(`${name} out`);
        },
        { wait: 5 },
      );
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(order).toEqual([]);
    owner.stdin.write("go\n");
    await Promise.all(waiting);
    expect(order.map((entry) => entry.split(" ")[1])).toEqual(["in", "out", "in", "out"]);
    expect(existsSync(lock)).toBe(false);
  });
});
