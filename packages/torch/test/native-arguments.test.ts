import { createSecureContext } from "node:tls";
import { types } from "node:util";
import { Generator, op, randn, zeros } from "@omni-id/torch";
import { describe, expect, test } from "vitest";
import { native } from "../src/native.ts";

describe("what JavaScript runs while its arguments are read", () => {
  /** A list of which the second number runs `code` when it is read. */
  const sizes = (code: () => void) =>
    Object.defineProperty([2, 3], 1, {
      get: () => {
        code();
        return 3;
      },
    });

  test("may look operators up, and the one that is called is the one", () => {
    const found = native.lookup("aten::zeros", "");
    const many = () => {
      for (let i = 0; i < 3000; i++) native.lookup("aten::conv2d", "");
    };
    const made = native.call(found?.id ?? -1, sizes(many), "float32") as number;
    expect(native.shape(made)).toEqual([2, 3]);
    expect(() => native.call(found?.id ?? -1, sizes(many), "float31")).toThrow(/^aten::zeros\(size: \[2, 3\].*float31/);
  });

  test("may make tensors, and release the one that is an argument", () => {
    const x = zeros([6]).add(4);
    const kept: unknown[] = [];
    const code = () => {
      for (let i = 0; i < 3000; i++) kept.push(zeros([1]));
      x.dispose();
    };
    const reshape = native.lookup("aten::reshape", "");
    const made = native.call(reshape?.id ?? -1, x.handle, sizes(code)) as number;
    expect([...new Float32Array(native.read(made))]).toEqual([4, 4, 4, 4, 4, 4]);
    expect(kept).toHaveLength(3000);
  });
});

describe("generators", () => {
  const draw = (generator: unknown) => op("aten::randn.generator")([2], { native: generator as object });
  test("are told from whatever else is an object or an external", () => {
    const external = (createSecureContext().context as { _external?: unknown })._external;
    expect(types.isExternal(external)).toBe(true);
    for (const other of [external, {}, [], new Map(), new Generator(1), Buffer.alloc(8), () => 1]) {
      expect(() => draw(other)).toThrow("expected a Generator");
      expect(() => native.seedGenerator(other as never, 1)).toThrow("expected a Generator");
    }
    const [a, b] = [new Generator(5), new Generator(5)];
    expect(randn([3], { generator: a }).tolist()).toEqual(randn([3], { generator: b }).tolist());
  });
});
