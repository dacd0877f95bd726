import { execFileSync } from "node:child_process";
import { inspect } from "node:util";
import { autocast, liveTensors, noGrad, onDevice, ones, scope, type Tensor, zeros } from "@omni-id/torch";
import { describe, expect, test } from "vitest";
import { sanitized } from "./sanitized.ts";

// The compiled package in a process of its own: what is measured is that process.
const dist = new URL("../dist/index.js", import.meta.url).href;
function inProcess(code: string): { stdout: string; stderr: string } {
  const body = `import(${JSON.stringify(dist)}).then((t) => {${code}});`;
  const script = `process.on("warning", (w) => { if (w.name === "UnscopedTensors") console.log("WARNED " + w.message); });\n${body}`;
  const stdout = execFileSync(process.execPath, ["--no-warnings", "-e", script], { encoding: "utf8" });
  return { stdout, stderr: "" };
}

describe("tensors outside any scope", () => {
  test.skipIf(sanitized)("300 of 4 MiB in a plain loop do not fill the memory", () => {
    const { stdout } = inProcess(`
      const x = t.ones([1 << 20]).keep();
      x.mul(2);
      const before = process.memoryUsage().rss;
      let most = 0;
      for (let i = 0; i < 300; i++) { x.mul(2); most = Math.max(most, process.memoryUsage().rss - before); }
      console.log(JSON.stringify({ most: most / 2 ** 20, live: t.liveTensors() }));
    `);
    const { most, live } = JSON.parse(stdout) as { most: number; live: number };
    expect(most).toBeLessThan(600); // 1,200 MiB were made
    expect(live).toBeLessThan(150);
  });

  test("too many small ones in a plain loop are collected too, without a warning", () => {
    const { stdout } = inProcess(`
      const x = t.ones([2]).keep();
      for (let i = 0; i < 60_000; i++) x.mul(2);
      console.log(t.liveTensors());
    `);
    expect(stdout).not.toContain("WARNED");
    expect(Number(stdout)).toBeLessThan(20_000);
  });

  test("those that are held are warned of once, with the line that made the one too many", () => {
    const { stdout } = inProcess(`
      t.setUnscopedLimit({ tensors: 100 });
      const list = [];
      function collectLosses() { for (let i = 0; i < 300; i++) list.push(t.ones([2]).mul(2)); }
      collectLosses();
      setTimeout(() => console.log("end " + list.length), 10);
    `);
    expect(stdout.match(/WARNED/g)).toHaveLength(1);
    expect(stdout).toMatch(/WARNED \d+ tensors outside any scope are alive.*collectLosses.*scope\(\(\) => …\)/);
    expect(stdout).toContain("end 300");
  });

  test("bytes count as well; what was kept, a parameter for one, does not", () => {
    const limit = "t.setUnscopedLimit({ bytes: 10 * 2 ** 20 });";
    const make = "Array.from({ length: 8 }, () => t.ones([1 << 19])";
    expect(inProcess(`${limit} globalThis.list = ${make});`).stdout).toContain("WARNED");
    expect(inProcess(`${limit} globalThis.list = ${make}.keep());`).stdout).not.toContain("WARNED");
    const linear = "globalThis.layer = new t.nn.Linear({ in: 2048, out: 2048 });";
    expect(inProcess(`${limit} ${linear}`).stdout).not.toContain("WARNED");
  });
});

describe("console.log of a released tensor", () => {
  test("says that it was released, inside other values too", () => {
    let leaked: Tensor | undefined;
    scope(() => {
      leaked = ones([2]);
    });
    expect(inspect({ leaked })).toContain("Tensor(released: its scope ended");
    const x = ones([2]);
    x.dispose();
    expect(String(x)).toBe("Tensor(disposed)");
  });
  test("one without memory shows its shape", () => {
    expect(String(zeros([2, 3], { device: "meta" }))).toBe("Tensor(…, shape [2, 3], float32, meta)");
  });
});

describe("async functions are refused with what to do", () => {
  test("scope: before anything of it has run", async () => {
    const before = liveTensors();
    let ran = false;
    const refused = () =>
      scope(async () => {
        ran = true;
        return ones([1]);
      });
    expect(refused).toThrow(/scope\(async …\).*must not be async.*await first, then open the scope/);
    expect(ran).toBe(false);
    expect(liveTensors()).toBe(before);
  });
  test("a promise is refused too, and its own failure ends no process", async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on("unhandledRejection", note);
    expect(() => scope(() => Promise.reject(new Error("its tensors are gone")))).toThrow("await first");
    expect(() => noGrad(() => Promise.reject(new Error("late")))).toThrow("await first");
    await new Promise((resolve) => setTimeout(resolve, 10));
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });
  test("noGrad, autocast, onDevice", () => {
    const later = async () => 1;
    expect(() => noGrad(later)).toThrow(/noGrad\(fn\): fn must not be async/);
    expect(() => autocast({}, later)).toThrow(/autocast\(options, fn\): fn must not be async/);
    expect(() => onDevice("meta", later)).toThrow(/onDevice\(device, fn\): fn must not be async/);
    expect(zeros([1]).device).toBe("cpu");
  });
});
