import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const built = process.env.OMNI_ID_NATIVE || fileURLToPath(new URL("..", import.meta.url));
const addon = join(built, "build/Release/torch_native.node");

/** Runs code with `a` and `b`, two copies of the addon, and answers what it prints. */
function withTwoCopies(code: string): unknown {
  const folder = mkdtempSync(join(tmpdir(), "omni-id-copies-"));
  try {
    const second = join(folder, "torch_native.node");
    copyFileSync(addon, second); // as another version of the package in another node_modules
    const load = `const [a, b] = [${JSON.stringify(addon)}, ${JSON.stringify(second)}].map((file) => require(file));`;
    const text = execFileSync(process.execPath, ["-e", `${load}\n${code}`], { encoding: "utf8" });
    return JSON.parse(text);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("two copies of the package in one process: each has its own operators, tensors and gradients", () => {
  const result = withTwoCopies(`
    const run = (n) => {
      const x = n.fromBuffer(Float32Array.of(1, 2, 3, 4), [1, 4], "float32", true);
      const [w, z] = [1, 0].map((v) => n.fromBuffer(Float32Array.from({ length: 4 }, () => v), [4], "float32", true));
      n.setRequiresGrad(x, true);
      const y = n.call(n.lookup("omni_id::layer_norm", "").id, x, w, z);
      const sum = n.call(n.lookup("aten::sum", "").id, n.call(n.lookup("aten::square", "").id, y));
      n.backward([sum], null, false, false);
      return [n.item(sum), [...new Float32Array(n.read(n.getGrad(x)))].map((g) => Math.abs(g) < 1e-3)];
    };
    console.log(JSON.stringify([run(a), run(b), run(a)]));
  `);
  const each = [expect.closeTo(4, 3), [true, true, true, true]];
  expect(result).toEqual([each, each, each]);
});

test("a tensor or a generator of one copy is none of the other's", () => {
  const problems = withTwoCopies(`
    const problem = (fn) => { try { fn(); return "none"; } catch (error) { return error.message; } };
    const [x, y] = [a, b].map((n) => n.fromBuffer(Float32Array.of(1), [1], "float32", true));
    console.log(JSON.stringify([
      problem(() => b.item(x)),
      problem(() => a.item(y)),
      [a.item(x), b.item(y)],
    ]));
  `) as unknown[];
  expect(problems[0]).toContain("released");
  expect(problems[1]).toContain("released");
  expect(problems[2]).toEqual([1, 1]);
});
