import {
  cat,
  type DType,
  F,
  fromTypedArray,
  Generator,
  grad,
  ones,
  randn,
  stack,
  type Tensor,
  zeros,
} from "@omni-id/torch";
import { describe, expect, test } from "vitest";
import { adamwStep_, muonStep_ } from "../src/fused.ts";

const generator = new Generator(17);
const SPECIAL = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
const DTYPES: DType[] = ["float32", "bfloat16"];

/** What is left of a value when only its kind counts. */
const kindOf = (x: number) => (Number.isNaN(x) ? "NaN" : Number.isFinite(x) ? "finite" : String(x));
const kinds = (t: Tensor) => [...t.toTypedArray()].map((x) => kindOf(Number(x)));

/** `shape` of normal numbers, with `value` at one flat place. */
function spiked(shape: number[], place: number, value: number, dtype: DType = "float32"): Tensor {
  const array = randn(shape, { generator }).toTypedArray() as Float32Array;
  array[place] = value;
  return fromTypedArray(array, shape).to(dtype).requiresGrad_();
}
const plainLeaf = (shape: number[], dtype: DType = "float32") => spiked(shape, 0, 0.5, dtype);

const finite = (t: Tensor) => [...t.toTypedArray()].map((x) => Number.isFinite(Number(x)));

/**
 * The same places of results are NaN, ∞, −∞ in both, and the same places of gradients finite. (Which of the three a
 * gradient is depends on the order of its sums: LibTorch's own fused operators differ from their formulas there.)
 */
function expectSameKinds(
  fused: (...t: Tensor[]) => Tensor,
  plain: (...t: Tensor[]) => Tensor,
  inputs: Tensor[],
  weights?: Tensor,
): void {
  const wide = inputs.map((t) => t.detach().double().requiresGrad_());
  const [ours, theirs] = [fused(...inputs), plain(...wide)];
  expect(kinds(ours), "values").toEqual(kinds(theirs));
  const seed = weights ?? randn(theirs.shape as number[], { generator });
  const a = grad(ours, inputs, { gradOutputs: [seed.to(ours.dtype)] });
  const b = grad(theirs, wide, { gradOutputs: [seed.to("float64")] });
  for (const [i, gradient] of a.entries()) expect(finite(gradient), `gradient ${i}`).toEqual(finite(b[i]));
}

/** NaN, ∞ and −∞ pass through each fused operator as through the plain ones in float64, both ways. */
export function testNonFinite(): void {
  describe("what is not finite", () => {
    const attention = (qkv: Tensor, heads: number, mask?: Tensor) => {
      const split = (t: Tensor) => t.unflatten(2, [heads, -1]).transpose(1, 2);
      const [q, k, v] = qkv.chunk(3, 2).map(split);
      let scores = q.mul(q.shape[3] ** -0.5).matmul(k.transpose(2, 3));
      if (mask) scores = scores.maskedFill(mask.logicalNot().unsqueeze(1).unsqueeze(1), Number.NEGATIVE_INFINITY);
      return scores.softmax(-1).matmul(v).transpose(1, 2).flatten(2);
    };
    const [heads, depth, tokens] = [2, 6, 5];
    const width = heads * depth;
    describe.each(DTYPES)("attention in %s", (dtype) => {
      test.each(["queries", "keys", "values"])("in the %s", (where) => {
        const offset = ["queries", "keys", "values"].indexOf(where) * width;
        for (const value of SPECIAL) {
          const x = spiked([2, tokens, 3 * width], 2 * 3 * width + offset + 7, value, dtype);
          expectSameKinds(
            (t) => F.attentionPackedQkv(t, heads),
            (t) => attention(t, heads),
            [x],
          );
          const [q, kv] = [x.detach().slice(2, 0, width), x.detach().slice(2, width)];
          expectSameKinds(
            (a, b) => F.attentionPackedKv(a, b, heads),
            (a, b) => attention(cat([a, b], 2), heads),
            [q.clone().requiresGrad_(), kv.clone().requiresGrad_()],
          );
        }
      });
      test("in the gradient, and with masked keys", () => {
        const keyMask = ones([2, tokens], { dtype: "bool" });
        keyMask.at(":", 1).fill_(0);
        for (const value of SPECIAL) {
          const weights = spiked([2, tokens, width], 3 * width + 1, value).detach();
          const x = plainLeaf([2, tokens, 3 * width], dtype);
          for (const mask of [undefined, keyMask]) {
            expectSameKinds(
              (t) => F.attentionPackedQkv(t, heads, { keyMask: mask }),
              (t) => attention(t, heads, mask),
              [x],
              weights,
            );
          }
          const hidden = spiked([2, tokens, 3 * width], 3 * width + width + 2, value, dtype); // a key that nobody sees
          expectSameKinds(
            (t) => F.attentionPackedQkv(t, heads, { keyMask }),
            (t) => attention(t, heads, keyMask),
            [hidden],
          );
        }
      });
      test("all scores of a query −∞: NaN, not zeros", () => {
        const qkv = zeros([1, 3, 3 * width]);
        qkv.slice(2, 0, width).fill_(1);
        qkv.slice(2, width, 2 * width).fill_(Number.NEGATIVE_INFINITY);
        expect(new Set(kinds(F.attentionPackedQkv(qkv.to(dtype), heads)))).toEqual(new Set(["NaN"]));
      });
    });

    test.each(DTYPES)("bias and GELU in %s", (dtype) => {
      for (const approximate of ["none", "tanh"] as const) {
        // Written out: LibTorch's own kernels treat the infinities differently from version to version.
        const plain = (x: Tensor, b: Tensor) => {
          const y = x.add(b);
          if (approximate === "none") return y.mul(0.5).mul(y.mul(Math.SQRT1_2).erf().add(1));
          const inner = y.add(y.pow(3).mul(0.044715)).mul(Math.sqrt(2 / Math.PI));
          return y.mul(0.5).mul(inner.tanh().add(1));
        };
        for (const value of SPECIAL) {
          for (const place of [0, 25]) {
            const fused = (x: Tensor, b: Tensor) => F.biasGelu(x, b, { approximate });
            expectSameKinds(fused, plain, [spiked([3, 19], place, value, dtype), plainLeaf([19], dtype)]);
            expectSameKinds(fused, plain, [plainLeaf([3, 19], dtype), spiked([19], place % 19, value, dtype)]);
            const weights = spiked([3, 19], place, value).detach();
            expectSameKinds(fused, plain, [plainLeaf([3, 19], dtype), plainLeaf([19], dtype)], weights);
          }
        }
      }
    });

    test("LayerNorm, alone and after a sum", () => {
      const plain = (x: Tensor, w: Tensor, b: Tensor) => F.layerNorm(x, [w.shape[0]], w, b);
      for (const value of SPECIAL) {
        for (const spike of [0, 1, 2, 3]) {
          const shapes = [[3, 19], [19], [19]];
          const inputs = shapes.map((shape, i) => (i === spike ? spiked(shape, 4, value) : plainLeaf(shape)));
          const weights = spike === 3 ? spiked([3, 19], 21, value).detach() : undefined;
          expectSameKinds((x, w, b) => F.fusedLayerNorm(x, w, b), plain, inputs, weights);
          for (const dtype of DTYPES) {
            const delta = spike === 3 ? spiked([3, 19], 40, value, dtype) : plainLeaf([3, 19], dtype);
            const both = (sum: Tensor, normed: Tensor) => cat([sum, normed]);
            expectSameKinds(
              (x, d, w, b) => both(...F.addLayerNorm(x, d, w, b)),
              (x, d, w, b) => both(x.add(d), plain(x.add(d), w, b)),
              [inputs[0], delta, inputs[1], inputs[2]],
            );
          }
        }
      }
    });

    test.each(DTYPES)("modulated norm and gated residual, what is added in %s", (dtype) => {
      const shape = [2, 3, 19];
      const plain = (x: Tensor, shift: Tensor, scale: Tensor) =>
        shift.addcmul(F.layerNorm(x, [19], null, null, { eps: 1e-6 }), scale.add(1));
      for (const value of SPECIAL) {
        for (const spike of [0, 1, 2]) {
          const at = (i: number, given: number[], type?: DType) =>
            i === spike ? spiked(given, 4, value, type) : plainLeaf(given, type);
          const own = [2, 1, 19];
          expectSameKinds((x, shift, scale) => F.modulatedNorm(x, { shift, scale }), plain, [
            at(0, shape),
            at(1, own),
            at(2, own),
          ]);
          expectSameKinds(F.gatedAdd, (x, gate, delta) => x.addcmul(gate, delta), [
            at(0, shape),
            at(1, own),
            at(2, shape, dtype),
          ]);
        }
      }
    });

    test.each(DTYPES)("RMSNorm and rotary positions in %s", (dtype) => {
      const angle = randn([tokens, depth / 2], { generator });
      const turns = stack([angle.cos(), angle.sin()], -1).flatten(-2);
      const plain = (qkv: Tensor, qs: Tensor, ks: Tensor) => {
        const [q, k, v] = qkv.chunk(3, 2);
        const [cos, sin] = turns
          .double()
          .unsqueeze(0)
          .unflatten(-1, [-1, 2])
          .unbind(-1)
          .map((t) => t.unsqueeze(2));
        const normed = [q, k].map((t, i) => {
          const y = t.unflatten(2, [heads, -1]);
          const x = y.mul(y.square().mean(-1, { keepdim: true }).add(1e-6).rsqrt()).mul([qs, ks][i]);
          const [a, b] = x.unflatten(-1, [-1, 2]).unbind(-1);
          return stack([a.mul(cos).sub(b.mul(sin)), a.mul(sin).add(b.mul(cos))], -1).flatten(2);
        });
        return cat([...normed, v], 2);
      };
      const fused = (qkv: Tensor, queryScale: Tensor, keyScale: Tensor) =>
        F.qkNormRope(qkv, { heads, queryScale, keyScale, turns });
      for (const value of SPECIAL) {
        for (const place of [3, width + 3, 2 * width + 3]) {
          const scales = [plainLeaf([depth]), plainLeaf([depth])];
          expectSameKinds(fused, plain, [spiked([2, tokens, 3 * width], place, value, dtype), ...scales]);
        }
        expectSameKinds(fused, plain, [
          plainLeaf([2, tokens, 3 * width], dtype),
          spiked([depth], 1, value),
          plainLeaf([depth]),
        ]);
        const weights = spiked([2, tokens, 3 * width], 4, value).detach();
        expectSameKinds(
          fused,
          plain,
          [plainLeaf([2, tokens, 3 * width], dtype), plainLeaf([depth]), plainLeaf([depth])],
          weights,
        );
      }
    });

    test("optimiser steps", () => {
      for (const value of SPECIAL) {
        const at = (shape: number[]) => spiked(shape, 3, value).detach();
        const p = zeros([8]);
        adamwStep_([p], [at([8])], [zeros([8])], [zeros([8])], {
          lr: 0.1,
          betas: [0.9, 0.99],
          eps: 1e-8,
          weightDecay: 0,
          steps: [1],
        });
        expect(kinds(p)).toEqual(Array.from({ length: 8 }, (_, i) => (i === 3 ? "NaN" : "finite")));
        const matrix = zeros([4, 4]);
        const options = { lr: 0.1, momentum: 0.9, weightDecay: 0, nesterov: true, steps: 5, dtype: "float32" } as const;
        muonStep_([matrix], [at([4, 4])], [zeros([4, 4])], options);
        expect(kinds(matrix)).toContain("NaN"); // its iteration mixes all of a matrix
      }
    });
  });
}
