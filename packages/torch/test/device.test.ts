import {
  autocast,
  defaultDevice,
  deviceMemory,
  emptyDeviceCache,
  fromTypedArray,
  onDevice,
  ones,
  randn,
  setDefaultDevice,
  setExactness,
  synchronize,
  tensor,
} from "@omni-id/torch";
import { afterEach, expect, test } from "vitest";

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
