import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  autocast,
  F,
  Generator,
  liveTensors,
  noGrad,
  ones,
  randn,
  Scope,
  scope,
  type Tensor,
  zeros,
} from "@omni-id/torch";
import { describe, expect, test } from "vitest";
import { sanitized } from "./sanitized.ts";

describe("scope", () => {
  test("releases everything but what it returns, in any nesting of containers", () => {
    const before = liveTensors();
    const result = scope(() => {
      const a = ones([2]);
      const b = a.add(1);
      a.mul(b);
      return {
        list: [a, { b }],
        map: new Map([["c", b.sub(1)]]),
        set: new Set([zeros([1])]),
        text: "x",
        array: new Float32Array(3),
      };
    });
    expect(liveTensors() - before).toBe(4);
    expect((result.list[0] as Tensor).tolist()).toEqual([1, 1]);
    expect(result.map.get("c")?.tolist()).toEqual([1, 1]);
    for (const t of [
      result.list[0] as Tensor,
      (result.list[1] as { b: Tensor }).b,
      ...result.map.values(),
      ...result.set,
    ])
      t.dispose();
    expect(liveTensors()).toBe(before);
  });

  test("what an inner scope returns belongs to the outer one", () => {
    const before = liveTensors();
    let inner: Tensor | undefined;
    scope(() => {
      inner = scope(() => ones([2]).add(1));
      expect(inner.tolist()).toEqual([2, 2]);
    });
    expect(liveTensors()).toBe(before);
    expect(() => inner?.add(1)).toThrow("this tensor was released");
  });

  test("keep leaves every scope, nested ones too", () => {
    const before = liveTensors();
    const kept = scope(() => {
      let k: Tensor | undefined;
      scope(() => {
        k = ones([2]).keep();
      });
      return [k as Tensor];
    })[0];
    expect(kept.add(1).tolist()).toEqual([2, 2]);
    kept.dispose();
    kept.dispose();
    expect(liveTensors()).toBeLessThanOrEqual(before + 1);
  });

  test("`total = total.add(x)` across scopes: the old total stays valid where it was made", () => {
    scope(() => {
      let total = zeros([1]);
      for (let i = 0; i < 5; i++) total = scope(() => total.add(ones([1]).mul(2)));
      expect(total.item()).toBe(10);
    });
  });

  test("a throw closes it", () => {
    const before = liveTensors();
    expect(() =>
      scope(() => {
        ones([3]);
        throw new Error("boom");
      }),
    ).toThrow("boom");
    expect(liveTensors()).toBe(before);
  });

  test("an async function is an error", () => {
    const before = liveTensors();
    expect(() => scope(async () => ones([1]))).toThrow("must not be async");
    expect(liveTensors()).toBe(before);
  });

  test("Scope works with using", () => {
    const before = liveTensors();
    const open = () => {
      using s = new Scope();
      return s.keep(ones([2]).add(1));
    };
    const kept = open();
    expect(liveTensors() - before).toBe(1);
    kept.dispose();
    {
      using t = ones([2]);
      expect(t.tolist()).toEqual([1, 1]);
    }
    expect(liveTensors()).toBe(before);
  });
});

describe("stale handles", () => {
  test("name the operator and the argument, and never hit another tensor", () => {
    const x = ones([2]);
    x.dispose();
    const other = zeros([2]); // reuses the slot
    expect(() => other.add(x)).toThrow(
      /aten::add\.Tensor\(self: float32\[2\].*argument "other": this tensor was released/,
    );
    let leaked: Tensor | undefined;
    scope(() => {
      leaked = ones([2]);
    });
    const reuse = zeros([2]);
    expect(() => leaked?.item()).toThrow("return it from the scope or call keep()");
    expect(reuse.tolist()).toEqual([0, 0]);
  });
});

describe("garbage collection", () => {
  test("releases tensors that no scope owns", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const before = liveTensors();
    (() => {
      for (let i = 0; i < 1000; i++) ones([4]);
    })();
    for (let i = 0; i < 20 && liveTensors() > before + 100; i++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(liveTensors()).toBeLessThan(before + 100);
  });
});

describe("tensors outside scopes", () => {
  test("their size makes V8 collect them before memory fills", async () => {
    const before = liveTensors();
    let most = 0;
    for (let i = 0; i < 400; i++) {
      zeros([1 << 20]); // 4 MiB each
      await new Promise((resolve) => setImmediate(resolve));
      most = Math.max(most, liveTensors() - before);
    }
    expect(most).toBeLessThan(200);
  });
});

describe("a long training", () => {
  test("10,000 steps: live tensors constant, resident memory flat", () => {
    const generator = new Generator(0);
    const weights = [randn([16, 8], { generator }), randn([1, 16], { generator })].map((w) =>
      w.mul(0.1).requiresGrad_().keep(),
    );
    const x = randn([32, 8], { generator }).keep();
    const y = x.sum(1, { keepdim: true }).keep();
    const step = () =>
      scope(() => {
        const loss = autocast({ enabled: false }, () =>
          F.mseLoss(F.linear(F.gelu(F.linear(x, weights[0])), weights[1]), y),
        );
        loss.backward();
        noGrad(() => {
          for (const w of weights) {
            w.add_(w.grad as Tensor, { alpha: -0.02 });
            w.grad = null;
          }
        });
        return loss.item();
      });
    const first = step();
    for (let i = 0; i < 1000; i++) step();
    const live = liveTensors();
    const resident = process.memoryUsage.rss();
    let last = 0;
    for (let i = 0; i < 9000; i++) last = step();
    expect(liveTensors()).toBe(live);
    if (!sanitized) expect(process.memoryUsage.rss() - resident).toBeLessThan(64 * 2 ** 20);
    expect(last).toBeLessThan(first / 50);
  });
});
