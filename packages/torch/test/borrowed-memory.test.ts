import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { fromTypedArray, type HalfArray, scope, type TypedArray, tensor } from "@omni-id/torch";
import { describe, expect, test } from "vitest";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
/** Fills what was freed, so that who still reads there reads this. */
const churn = () => Array.from({ length: 64 }, () => new Float32Array(1 << 16).fill(-1));

describe("copy: false", () => {
  test("writes are seen by both sides", () => {
    const array = Float32Array.of(1, 2, 3, 4);
    const t = fromTypedArray(array, [4], { copy: false });
    array[0] = 9;
    expect(t.tolist()).toEqual([9, 2, 3, 4]);
    scope(() => t.mul_(2));
    expect([...array]).toEqual([18, 4, 6, 8]);
  });

  type Buffer = ArrayBuffer & { transfer?(length?: number): ArrayBuffer };
  const takers: Record<string, (buffer: Buffer) => unknown> = {
    structuredClone: (buffer) => structuredClone(buffer, { transfer: [buffer] }),
    transfer: (buffer) => buffer.transfer?.(),
    "transfer to a longer one": (buffer) => buffer.transfer?.(buffer.byteLength * 16),
    "transfer to a shorter one": (buffer) => buffer.transfer?.(16),
  };
  test.each(Object.keys(takers))("the memory stays when its buffer is taken away by %s and collected", async (how) => {
    const array = new Float32Array(1 << 16).fill(7);
    const t = fromTypedArray(array, [1 << 16], { copy: false });
    (() => {
      try {
        takers[how](array.buffer);
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError); // where V8 would move the memory, it may not
      }
    })();
    for (let i = 0; i < 5; i++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    churn();
    expect(t.amin().item()).toBe(7);
    expect(t.amax().item()).toBe(7);
  });

  test("the memory stays when nobody holds the array any more, views and gradients included", async () => {
    const view = (() => fromTypedArray(new Float32Array(1 << 16).fill(3), [1 << 16], { copy: false }).slice(0, 5))();
    for (let i = 0; i < 5; i++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    churn();
    expect(view.amin().item()).toBe(3);
  });

  test("a part of a buffer, and a shared buffer", () => {
    const buffer = new ArrayBuffer(64);
    const part = new Float32Array(buffer, 16, 4);
    const t = fromTypedArray(part, [4], { copy: false });
    part.fill(5);
    expect(t.sum().item()).toBe(20);
    const shared = new Float32Array(new SharedArrayBuffer(16));
    const s = fromTypedArray(shared, [4], { copy: false });
    shared.fill(2);
    expect(s.sum().item()).toBe(8);
  });
});

describe("buffers that a tensor cannot be made from", () => {
  test("detached: an error that says so, with and without a copy", () => {
    for (const copy of [true, false]) {
      const array = new Float32Array(4);
      structuredClone(array.buffer, { transfer: [array.buffer] });
      expect(() => fromTypedArray(array, [4], { copy })).toThrow("ArrayBuffer is detached");
      expect(() => fromTypedArray(array, [0], { copy })).toThrow("ArrayBuffer is detached");
    }
    expect(() => fromTypedArray(new Float32Array(3), [4])).toThrow("has 4 elements, the array has 3");
    expect(fromTypedArray(new Float32Array(0), [0]).shape).toEqual([0]);
  });

  test("resizable: copied, or an error", () => {
    const Resizable = ArrayBuffer as unknown as new (length: number, options: object) => ArrayBuffer;
    const array = new Float32Array(new Resizable(16, { maxByteLength: 64 }));
    expect(() => fromTypedArray(array, [4], { copy: false })).toThrow("resizable");
    expect(fromTypedArray(array.fill(1), [4]).tolist()).toEqual([1, 1, 1, 1]);
  });
});

describe("typed arrays by their name", () => {
  test("those of another realm are what they are", () => {
    const foreign = runInNewContext("Float32Array.of(1, 2)") as Float32Array;
    expect(tensor(foreign).dtype).toBe("float32");
  });

  const Half = (globalThis as { Float16Array?: { from(values: number[]): HalfArray } }).Float16Array;
  test.skipIf(!Half)("Float16Array is float16, shared and copied", () => {
    const array = Half?.from([1, 2.5, -3]) as HalfArray;
    for (const copy of [true, false]) {
      const t = fromTypedArray(array, [3], { copy });
      expect([t.dtype, t.tolist()]).toEqual(["float16", [1, 2.5, -3]]);
    }
    expect(tensor(array).dtype).toBe("float16");
    expect(tensor(array, { dtype: "float32" }).tolist()).toEqual([1, 2.5, -3]);
    expect(() => fromTypedArray(array, [3], { dtype: "bfloat16" })).toThrow("Float16Array cannot hold bfloat16");
  });

  test("an array that tells another name or length than Node-API knows is read by its bytes", () => {
    // What Float16Array was to a Node-API that has no number for it.
    const bits = new Uint16Array([0x3c00, 0x4000]);
    const half = Object.defineProperty(bits, Symbol.toStringTag, { value: "Float16Array" }) as unknown as TypedArray;
    expect(fromTypedArray(half, [2]).tolist()).toEqual([1, 2]);
  });
});
