import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import * as torch from "@omni-id/torch";
import { type DType, F, Generator, type Tensor } from "@omni-id/torch";
import { describe, expect, test } from "vitest";
import { expectClose } from "./close.ts";

interface Plain {
  dtype: DType;
  shape: number[];
  data: number[];
}
const golden = JSON.parse(readFileSync(new URL("fixtures/golden.json", import.meta.url), "utf8")) as {
  inputs: Record<string, Plain>;
  cases: (Plain & { ours: string; theirs: string })[];
  random: Record<"randn" | "rand" | "randint" | "randperm", number[]>;
};
const names = Object.keys(golden.inputs);
const inputs = names.map((name) => {
  const { data, shape, dtype } = golden.inputs[name];
  return torch.tensor(data, { shape, dtype });
});

describe("values equal PyTorch's", () => {
  test.each(golden.cases)("$ours", ({ ours, dtype, shape, data }) => {
    const evaluate = new Function("torch", "F", ...names, `return ${ours}`) as (...args: unknown[]) => Tensor;
    torch.scope(() => {
      const result = evaluate(torch, F, ...inputs);
      expect(result.shape).toEqual(shape);
      expect(result.dtype).toBe(dtype);
      expectClose(result, data);
    });
  });
});

describe("random numbers", () => {
  test("a seeded generator gives PyTorch's numbers, one call after the other", () => {
    const generator = new Generator(7);
    expectClose(torch.randn([5], { generator }), golden.random.randn, { atol: 1e-7 });
    expectClose(torch.rand([3], { generator }), golden.random.rand, { atol: 1e-7 });
    expect(torch.randint(2, 9, [6], { generator }).tolist()).toEqual(golden.random.randint);
    expect(torch.randperm(6, { generator }).tolist()).toEqual(golden.random.randperm);
  });

  test("a saved state goes on exactly there, in another generator too", () => {
    const a = new Generator(1);
    torch.randn([1000], { generator: a });
    const state = a.getState();
    const next = torch.randn([50], { generator: a }).tolist();
    expect(torch.randn([50], { generator: new Generator(99).setState(state) }).tolist()).toEqual(next);
    expect(state.dtype).toBe("uint8");
  });

  test("manualSeed seeds the default generator", () => {
    torch.manualSeed(5);
    const first = torch.rand([4]).tolist();
    torch.manualSeed(5);
    expect(torch.rand([4]).tolist()).toEqual(first);
  });
});

describe("typed arrays", () => {
  test("copy: false shares memory both ways, and a view outlives its tensor", () => {
    const array = Float32Array.from([1, 2, 3, 4]);
    const shared = torch.fromTypedArray(array, [2, 2], { copy: false });
    array[0] = 10;
    expect(shared.at(0, 0).item()).toBe(10);
    shared.mul_(2);
    expect([...array]).toEqual([20, 4, 6, 8]);
    const view = shared.data();
    shared.dispose();
    expect([...view]).toEqual([20, 4, 6, 8]);
  });

  test("the default is a copy", () => {
    const array = Float32Array.from([1, 2]);
    const copied = torch.fromTypedArray(array, [2]);
    array[0] = 5;
    expect(copied.tolist()).toEqual([1, 2]);
  });

  test.each<[DType, unknown]>([
    ["float32", Float32Array],
    ["float64", Float64Array],
    ["int64", BigInt64Array],
    ["int32", Int32Array],
    ["uint8", Uint8Array],
    ["bool", Uint8Array],
    ["bfloat16", Float32Array],
    ["float16", Float32Array],
  ])("%s reads back as its array", (dtype, array) => {
    const t = torch.tensor([0, 1, 1]).to(dtype);
    expect(t.toTypedArray()).toBeInstanceOf(array);
    expect(t.tolist()).toEqual([0, 1, 1]);
    expect(t.dtype).toBe(dtype);
  });

  test("16-bit floats from their bits", () => {
    const bits = Uint16Array.from([0x3f80, 0xc000, 0x4049]);
    expect(torch.fromTypedArray(bits, [3], { dtype: "bfloat16" }).tolist()).toEqual([1, -2, 3.140625]);
    expect(torch.tensor([1, -2]).bfloat16().data()).toEqual(Uint16Array.from([0x3f80, 0xc000]));
  });

  test("what does not fit is refused", () => {
    expect(() => torch.fromTypedArray(new Float32Array(3), [2, 2])).toThrow(
      "shape [2, 2] has 4 elements, the array has 3",
    );
    expect(() => torch.fromTypedArray(new Uint16Array(3), [3])).toThrow("bfloat16");
    expect(() => torch.fromTypedArray(new Float32Array(3), [3], { dtype: "float64" })).toThrow("cannot hold float64");
    expect(() => torch.zeros([4, 4]).t().slice(0, 1).data()).toThrow("not contiguous");
    expect(() => torch.tensor([[1, 2], [3]])).toThrow("ragged");
    expect(() => torch.tensor([1, [2]] as never)).toThrow("ragged");
    expect(() => torch.zeros([2]).item()).toThrow("item(): the tensor must have one element, got float32[2]");
  });

  test("bigints and booleans choose their dtype; a dtype given wins", () => {
    expect(torch.tensor([1n, 2n ** 60n]).dtype).toBe("int64");
    expect((torch.tensor([2n ** 60n + 1n]).toTypedArray() as BigInt64Array)[0]).toBe(2n ** 60n + 1n);
    expect(torch.tensor([true, false]).dtype).toBe("bool");
    expect(torch.tensor([1, 2], { dtype: "int32" }).dtype).toBe("int32");
    expect(torch.tensor(0.1, { dtype: "float64" }).item()).toBe(0.1);
    expect(torch.tensor([16_777_217], { dtype: "int64" }).item()).toBe(16_777_217);
  });
});

describe("errors name the operator, shapes and dtypes", () => {
  test("shapes that do not fit", () => {
    expect(() => torch.zeros([2, 3]).mm(torch.zeros([4, 5]))).toThrow(
      "aten::mm(self: float32[2, 3], mat2: float32[4, 5])",
    );
  });
  test("dtypes that do not fit", () => {
    expect(() => F.embedding(torch.zeros([2]), torch.zeros([3, 4]))).toThrow("indices: float32[2]");
  });
  test("an unknown dtype, device, operator", () => {
    expect(() => torch.zeros([1], { dtype: "float33" as DType })).toThrow('unknown dtype "float33"; expected float32');
    expect(() => torch.zeros([1], { device: "tpu" })).toThrow(/tpu/);
    expect(() => torch.op("aten::no_such_thing")).toThrow("has no operator aten::no_such_thing");
  });
  test("an index outside, too many, two ellipses", () => {
    const x = torch.zeros([2, 3]);
    expect(() => x.at(2)).toThrow("at(): index 2 is outside dimension 0 of shape [2, 3]");
    expect(() => x.at(0, 0, 0)).toThrow("3 indices for a tensor of shape [2, 3]");
    expect(() => x.at("...", "...")).toThrow("only once");
  });
});

describe("op", () => {
  test("calls any registered operator: lists, several results, numbers for tensors", () => {
    const x = torch.tensor([
      [2, 0],
      [0, 3],
    ]);
    const [q, r] = torch.op("aten::linalg_qr")(x) as Tensor[];
    expectClose(q.matmul(r), x);
    expectClose(torch.op("aten::add.Tensor")(x, 1) as Tensor, [3, 1, 1, 4]);
    expect(torch.op("aten::size.int")(x, 1)).toBe(2);
    expect((torch.op("aten::_foreach_add.Scalar")([x, x], 1) as Tensor[]).length).toBe(2);
  });
  test("an in-place operator gives the same object back", () => {
    const x = torch.zeros([2, 3]);
    expect(torch.op("aten::add_.Tensor")(x, 1)).toBe(x);
    expect(x.shape).toEqual([2, 3]);
    torch.op("aten::t_")(x);
    expect(x.shape).toEqual([3, 2]);
  });
});

describe("console.log", () => {
  test("a matrix, with its shape and dtype", () => {
    expect(
      inspect(
        torch.tensor([
          [1, -2.5],
          [3, 40],
        ]),
      ),
    ).toBe("Tensor([[ 1.0000, -2.5000],\n        [ 3.0000, 40.0000]], shape [2, 2], float32)");
  });
  test("integers, booleans, scalars, empty, not finite, gradients", () => {
    expect(String(torch.arange(3))).toBe("Tensor([0, 1, 2], shape [3], int64)");
    expect(String(torch.tensor([true, false]))).toBe("Tensor([ true, false], shape [2], bool)");
    expect(String(torch.tensor(2))).toBe("Tensor(2.0000, shape [], float32)");
    expect(String(torch.zeros([0, 2]))).toBe("Tensor([], shape [0, 2], float32)");
    expect(String(torch.tensor([Number.NaN, 1 / 0]))).toContain("nan, inf");
    expect(String(torch.ones([1], { requiresGrad: true }))).toContain("requires grad");
    expect(String(torch.tensor([1e-9]))).toContain("1.0000e-9");
  });
  test("a large tensor is summarised, a disposed one says so", () => {
    const big = torch.zeros([100, 100]);
    expect(String(big).length).toBeLessThan(700);
    expect(String(big)).toContain("…");
    big.dispose();
    expect(String(big)).toBe("Tensor(disposed)");
  });
});
