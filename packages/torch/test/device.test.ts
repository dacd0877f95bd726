import {
  autocast,
  defaultDevice,
  deviceMemory,
  embedding,
  emptyDeviceCache,
  fromTypedArray,
  onDevice,
  ones,
  op,
  randn,
  scope,
  setDefaultDevice,
  setExactness,
  synchronize,
  type Tensor,
  tensor,
  zeros,
} from "@omni-id/torch";
import { afterEach, describe, expect, test } from "vitest";

afterEach(() => setDefaultDevice("cpu"));

test("factories, and tensors of numbers, lie on the default device unless they are told another", () => {
  expect(defaultDevice()).toBe("cpu");
  setDefaultDevice("meta");
  const made = [
    ones([2]),
    randn([2]),
    tensor([1, 2]),
    tensor([1n, 2n]),
    fromTypedArray(Float32Array.from([1, 2]), [2]),
  ];
  expect(made.map(({ device, shape }) => [device, ...shape])).toEqual(made.map(() => ["meta", 2]));
  expect(ones([2], { device: "cpu" }).device).toBe("cpu");
  expect(tensor([1, 2], { device: "cpu" }).device).toBe("cpu");
});

test("onDevice holds for its function, also when that throws", () => {
  expect(onDevice("meta", () => [defaultDevice(), onDevice("cpu", defaultDevice), defaultDevice()])).toEqual([
    "meta",
    "cpu",
    "meta",
  ]);
  expect(() =>
    onDevice("meta", () => {
      throw new Error("in between");
    }),
  ).toThrow("in between");
  expect(ones([1]).device).toBe("cpu");
});

test("autocast casts on the default device", () => {
  const product = () => autocast({ dtype: "bfloat16" }, () => ones([2, 2]).matmul(ones([2, 2])));
  expect(product().dtype).toBe("bfloat16");
});

test("the processor has nothing to wait for, and no card's memory", () => {
  synchronize();
  expect(deviceMemory()).toBeUndefined();
  setExactness({ tensorFloat32: true });
  setExactness();
  emptyDeviceCache();
  expect(ones([2]).add(1).tolist()).toEqual([2, 2]);
});

describe("the meta device", () => {
  const conv = (x: Tensor, weight: Tensor) => op("aten::conv2d")(x, weight, null, [2, 1], [1, 1], [1, 1], 1) as Tensor;
  const cases: [string, (x: Tensor, weight: Tensor, rows: Tensor) => Tensor][] = [
    ["indexSelect", (x, _, rows) => x.indexSelect(0, rows)],
    ["embedding", (x, _, rows) => embedding(rows, x.view([3, 4 * 8 * 8]))],
    ["a convolution", (x, weight) => conv(x, weight)],
    ["sums along", (x) => x.cumsum(1)],
    ["sorted", (x) => (op("aten::sort")(x, 1, true) as Tensor[])[1]],
  ];
  test.each(cases)("tells the shape of %s, as it is on the processor", (_, fn) => {
    const shapeOn = (device: string) =>
      scope(() => {
        const [x, weight] = [randn([3, 4, 8, 8]), randn([5, 4, 3, 3])];
        const { shape, dtype } = fn(
          x.to({ device }),
          weight.to({ device }),
          tensor([2, 0], { dtype: "int64" }).to({ device }),
        );
        return { shape, dtype };
      });
    expect(shapeOn("meta")).toEqual(shapeOn("cpu"));
  });

  test("a convolution's gradients have their shapes", () => {
    scope(() => {
      const [x, weight] = [randn([3, 4, 8, 8]), randn([5, 4, 3, 3])].map((t) =>
        t.to({ device: "meta" }).requiresGrad_(),
      );
      conv(x, weight).sum().backward();
      expect([x.grad?.shape, weight.grad?.shape]).toEqual([x.shape, weight.shape]);
    });
  });

  test("knows no shape that the numbers decide on, and has no numbers", () => {
    scope(() => {
      const x = zeros([4], { device: "meta" });
      expect(() => op("aten::nonzero")(x)).toThrow(/meta/i);
      expect(() => x.sum().item()).toThrow(/meta/i);
    });
  });
});
