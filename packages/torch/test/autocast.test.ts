import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  autocast,
  F,
  manualSeed,
  noGrad,
  ones,
  preferredPrecision,
  randn,
  scope,
  setNumThreads,
  type Tensor,
  version,
  zeros,
} from "@omni-id/torch";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { cardCapability } from "../src/autocast.ts";

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
const [B, W, DEPTH, H, P, IMG] = [8, 64, 2, 2, 8, 32];
const [N, PD, D] = [(IMG / P) ** 2, P * P * 3, W / H];

/** The program of fixtures/vit.py, line by line: same draws, same operators, same order. */
function trainVit(precision: "float32" | "bfloat16"): number[] {
  setNumThreads(1);
  manualSeed(0);
  const params: Tensor[] = [];
  const param = (t: Tensor): Tensor => {
    params.push(t.requiresGrad_());
    return t;
  };
  type Pair = [Tensor, Tensor];
  const lin = (i: number, o: number): Pair => [param(randn([o, i]).mul_(0.02)), param(zeros([o]))];
  const norm = (): Pair => [param(ones([W])), param(zeros([W]))];
  const embed = lin(PD, W);
  const pos = param(randn([1, N, W]).mul_(0.02));
  const blocks = Array.from({ length: DEPTH }, () => ({
    n1: norm(),
    qkv: lin(W, 3 * W),
    proj: lin(W, W),
    n2: norm(),
    up: lin(W, 4 * W),
    down: lin(4 * W, W),
  }));
  const last = norm();
  const head = lin(W, PD);
  const x = randn([B, 3, IMG, IMG]);

  const forward = (): Tensor => {
    const p = x
      .reshape([B, 3, IMG / P, P, IMG / P, P])
      .permute([0, 2, 4, 1, 3, 5])
      .reshape([B, N, PD]);
    let h = F.linear(p, ...embed).add(pos);
    for (const { n1, qkv, proj, n2, up, down } of blocks) {
      const [q, k, v] = F.linear(F.layerNorm(h, [W], ...n1), ...qkv)
        .reshape([B, N, 3, H, D])
        .permute([2, 0, 3, 1, 4])
        .unbind(0);
      const a = q
        .matmul(k.transpose(-2, -1))
        .mul(D ** -0.5)
        .softmax(-1);
      h = h.add(F.linear(a.matmul(v).transpose(1, 2).reshape([B, N, W]), ...proj));
      h = h.add(F.linear(F.gelu(F.linear(F.layerNorm(h, [W], ...n2), ...up)), ...down));
    }
    return F.l1Loss(F.linear(F.layerNorm(h, [W], ...last), ...head), p);
  };

  const [lr, b1, b2, eps, decay] = [1e-3, 0.9, 0.95, 1e-8, 0.05];
  const moments = params.map((p) => ({ p, m: zeros(p.shape), v: zeros(p.shape) }));
  return Array.from({ length: 10 }, (_, i) =>
    scope(() => {
      const loss = autocast({ enabled: precision === "bfloat16" }, forward);
      loss.backward();
      noGrad(() => {
        for (const { p, m, v } of moments) {
          const g = p.grad as Tensor;
          p.mul_(1 - lr * decay);
          m.mul_(b1).add_(g, { alpha: 1 - b1 });
          v.mul_(b2).addcmul_(g, g, { value: 1 - b2 });
          p.addcdiv_(
            m,
            v
              .sqrt()
              .div_(Math.sqrt(1 - b2 ** (i + 1)))
              .add_(eps),
            { value: -lr / (1 - b1 ** (i + 1)) },
          );
          p.grad = null;
        }
      });
      return loss.item();
    }),
  );
}

/** The same program run by PyTorch here and now, where Python has it: then every digit must agree. */
function pytorchLosses(precision: string): number[] | null {
  try {
    const python = (...args: string[]) =>
      execFileSync("/usr/bin/python3", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const [major, minor] = version().libtorch.split(".");
    if (!python("-c", "import torch; print(torch.__version__)").startsWith(`${major}.${minor}.`)) return null;
    return JSON.parse(python(fixture("vit.py"), precision));
  } catch {
    return null;
  }
}

describe("ten training steps of a vision transformer", () => {
  const recorded = JSON.parse(readFileSync(fixture("vit-losses.json"), "utf8")) as Record<
    "float32" | "bfloat16",
    number[]
  >;
  const rounding = { float32: 1e-4, bfloat16: 2e-2 }; // processors add in different orders
  test.each(["float32", "bfloat16"] as const)("%s: PyTorch's losses", (precision) => {
    const losses = trainVit(precision);
    losses.forEach(
      (loss, i) => void expect(Math.abs(loss / recorded[precision][i] - 1)).toBeLessThan(rounding[precision]),
    );
    const here = pytorchLosses(precision);
    if (here) expect(losses).toEqual(here);
  });
});

describe("autocast", () => {
  let x: Tensor;
  beforeAll(() => {
    x = ones([4, 4]);
  });

  test("casts products, not sums, and ends with the function", () => {
    expect(autocast({}, () => x.matmul(x).dtype)).toBe("bfloat16");
    expect(autocast({}, () => x.add(x).dtype)).toBe("float32");
    expect(x.matmul(x).dtype).toBe("float32");
  });
  test("nests, can be switched off inside, and is restored after a throw", () => {
    autocast({}, () => {
      expect(autocast({ enabled: false }, () => x.matmul(x).dtype)).toBe("float32");
      expect(x.matmul(x).dtype).toBe("bfloat16");
      expect(() => autocast({ enabled: false }, () => x.matmul(zeros([3, 3])))).toThrow("aten::matmul");
      expect(x.matmul(x).dtype).toBe("bfloat16");
    });
  });
  test("gradients reach float32 weights in float32", () => {
    const w = ones([4, 4], { requiresGrad: true });
    autocast({}, () => F.linear(x, w).float().sum()).backward();
    expect(w.grad?.dtype).toBe("float32");
    expect(w.grad?.at(0, 0).item()).toBe(4);
  });
  test("an async function is refused; the precision is one of the two", () => {
    expect(() => autocast({}, async () => 1)).toThrow("must not be async");
    expect(["bfloat16", "float32"]).toContain(preferredPrecision());
  });
  test("a card is asked what it multiplies; the least of several counts", () => {
    const folder = mkdtempSync(join(tmpdir(), "omni-id-card-"));
    const tool = join(folder, "nvidia-smi");
    const answers = (text: string) => {
      writeFileSync(tool, `#!/bin/sh\n${text}\n`);
      chmodSync(tool, 0o755);
      vi.stubEnv("PATH", `${folder}:${process.env.PATH}`);
      const capability = cardCapability();
      vi.unstubAllEnvs();
      return capability;
    };
    expect(answers("printf '9.0\\n7.5\\n'")).toBe(7.5);
    expect(answers("printf '8.0\\n'")).toBe(8);
    expect(answers("echo no devices were found; exit 6")).toBe(Number.POSITIVE_INFINITY);
    rmSync(folder, { recursive: true });
  });
});
