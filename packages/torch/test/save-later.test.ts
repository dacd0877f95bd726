import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadSafetensors, noGrad, randn, saveSafetensors, saveSafetensorsLater, tensor } from "@omni-id/torch";
import { afterAll, describe, expect, test } from "vitest";

const root = mkdtempSync(join(tmpdir(), "omni-id-later-"));
afterAll(() => rmSync(root, { recursive: true }));
const place = (...names: string[]) => join(root, ...names);

describe("saving beside what comes next", () => {
  test("writes the bytes of a plain save, of the moment when it was called", async () => {
    const tensors = {
      weights: randn([300, 200]),
      counts: tensor([1, 2, 3], { dtype: "int64" }),
      half: randn([5]).to("bfloat16"),
      turned: randn([4, 6]).transpose(0, 1),
      none: randn([0, 3]),
    };
    const metadata = { step: "7" };
    saveSafetensors(place("plain"), tensors, { metadata });
    const written = saveSafetensorsLater(place("later"), tensors, { metadata });
    noGrad(() => tensors.weights.zero_());
    await written;
    expect(readFileSync(place("later")).equals(readFileSync(place("plain")))).toBe(true);
    expect(loadSafetensors(place("later")).tensors.get("weights")?.abs().max().item()).toBeGreaterThan(1);
  });

  test("tells the system's error with the file that was asked for, and leaves what was there", async () => {
    const nowhere = place("nowhere", "a");
    await expect(saveSafetensorsLater(nowhere, { a: randn([2]) })).rejects.toMatchObject({
      code: "ENOENT",
      path: nowhere,
      message: expect.stringMatching(/no such file/),
    });
    mkdirSync(place("folder", "a"), { recursive: true });
    await expect(saveSafetensorsLater(place("folder", "a"), { a: randn([2]) })).rejects.toMatchObject({
      path: place("folder", "a"),
    });
    expect(readdirSync(place("folder"))).toEqual(["a"]);
  });

  test("a process that is killed on the way leaves the file of before", () => {
    mkdirSync(place("killed"));
    const index = fileURLToPath(new URL("../dist/index.js", import.meta.url));
    const program = `
      const { saveSafetensorsLater, ones } = await import(${JSON.stringify(index)});
      const { readdirSync } = await import("node:fs");
      const file = ${JSON.stringify(place("killed", "a"))};
      await saveSafetensorsLater(file, { a: ones([3]) });
      // The second one has its own file open when the process dies.
      void saveSafetensorsLater(file, { a: ones([30_000_000]).mul(2) });
      const watch = () => readdirSync(${JSON.stringify(place("killed"))}).length > 1 ? process.kill(process.pid, "SIGKILL") : setImmediate(watch);
      watch();
    `;
    const { signal } = spawnSync(process.execPath, ["--input-type=module", "-e", program]);
    expect(signal).toBe("SIGKILL");
    expect(loadSafetensors(place("killed", "a")).tensors.get("a")?.tolist()).toEqual([1, 1, 1]);
    // The next save clears away what was left.
    saveSafetensors(place("killed", "a"), { a: randn([2]) });
    expect(readdirSync(place("killed"))).toEqual(["a"]);
  });
});
