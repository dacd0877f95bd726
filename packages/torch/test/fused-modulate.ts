import { autocast, type DType, F, type Tensor } from "@omni-id/torch";
import { describe, expect, test } from "vitest";
import { expectClose } from "./close.ts";
import { expectSame, half, leaf } from "./fused-cases.ts";

const SHAPES = [
  [1, 3, 7],
  [2, 5, 128], // as many pictures as threads, or more
  [1, 300, 33], // one picture, many rows
  [5, 40, 50], // rows of one picture end within a thread's share
];
const norm = (x: Tensor, shift: Tensor, scale: Tensor) =>
  shift.addcmul(F.layerNorm(x, [x.shape[2]], null, null, { eps: 1e-6 }), scale.add(1));
const ours = (x: Tensor, shift: Tensor, scale: Tensor) => F.modulatedNorm(x, { shift, scale });
const gated = (x: Tensor, gate: Tensor, delta: Tensor) => x.addcmul(gate, delta);

/** adaLN and gated residuals against the plain operators, by the loops that are in use. */
export function testModulated(): void {
  describe("what each picture scales, shifts and gates", () => {
    test.each(SHAPES)("%i pictures, %i tokens, width %i", (batch, tokens, width) => {
      const shape = [batch, tokens, width];
      for (const pictures of [batch, 1]) {
        const own = () => leaf([pictures, 1, width]);
        expectSame(ours, norm, [leaf(shape), own(), own()]);
        const lower = (x: Tensor, shift: Tensor, scale: Tensor) => autocast({}, () => ours(x, shift, scale));
        expectSame(lower, norm, [leaf(shape), own(), own()], half);
        expectSame(lower, norm, [leaf(shape, "bfloat16"), own(), own()], half);
        expectSame(F.gatedAdd, gated, [leaf(shape), own(), leaf(shape)]);
        for (const dtype of ["float32", "bfloat16"] as DType[])
          expectSame(F.gatedAdd, gated, [leaf(shape, dtype), own(), leaf(shape, "bfloat16")], half);
      }
    });

    test("under autocast the norm comes in bfloat16, the sum in float32; bfloat16 alone stays what it was", () => {
      const [x, own] = [leaf([2, 3, 16]), leaf([2, 1, 16])];
      autocast({}, () => {
        expect(ours(x, own, own).dtype).toBe("bfloat16");
        expect(F.gatedAdd(x.bfloat16(), own, x.bfloat16()).dtype).toBe("float32");
      });
      const [y, lowered] = [x.bfloat16(), own.bfloat16()];
      expect(ours(y, lowered, lowered).tolist()).toEqual(norm(y, lowered, lowered).tolist());
      expect(F.gatedAdd(y, lowered, y).tolist()).toEqual(gated(y, lowered, y).tolist());
    });

    test("float64 takes the plain way; what does not fit is an error", () => {
      const [x, own] = [leaf([2, 3, 8], "float64"), leaf([2, 1, 8], "float64")];
      expectClose(ours(x, own, own), norm(x, own, own), { atol: 1e-12 });
      expectClose(F.gatedAdd(x, own, x), gated(x, own, x), { atol: 1e-12 });
      expect(() => ours(leaf([3, 8]), own, own)).toThrow("x must be [B, S, W]");
      expect(() => ours(x, leaf([3, 1, 8], "float64"), own)).toThrow("shift must be [2, 1, 8]");
      expect(() => ours(x, own, leaf([2, 3, 8], "float64"))).toThrow("scale must be [2, 1, 8]");
      expect(() => F.gatedAdd(x, leaf([8], "float64"), x)).toThrow("gate must be [2, 1, 8]");
      expect(() => F.gatedAdd(x, own, leaf([2, 4, 8], "float64"))).toThrow("x and delta must be [B, S, W]");
    });
  });
}
