import { checkDevices, F, Generator, grad, op, randn, setDefaultDevice, type Tensor, zeros } from "@omni-id/torch";
import { afterEach, describe, expect, test } from "vitest";
import { adamwStep_, muonStep_ } from "../src/fused.ts";

const generator = new Generator(4);
const make = (...shape: number[]) => randn(shape, { generator });

interface Kernel {
  operands: Record<string, Tensor>;
  run(operands: Record<string, Tensor>): Tensor | Tensor[];
}
const kernels: Record<string, () => Kernel> = {
  attentionPackedQkv: () => ({
    operands: { qkv: make(1, 3, 24), key_mask: zeros([1, 3], { dtype: "bool" }) },
    run: ({ qkv, key_mask: keyMask }) => F.attentionPackedQkv(qkv, 2, { keyMask }),
  }),
  attentionPackedKv: () => ({
    operands: { q: make(1, 3, 8), kv: make(1, 4, 16), key_mask: zeros([1, 4], { dtype: "bool" }) },
    run: ({ q, kv, key_mask: keyMask }) => F.attentionPackedKv(q, kv, 2, { keyMask }),
  }),
  qkNormRope: () => ({
    operands: { qkv: make(1, 3, 24), query_scale: make(4), key_scale: make(4), turns: make(3, 4) },
    run: ({ qkv, query_scale: queryScale, key_scale: keyScale, turns }) =>
      F.qkNormRope(qkv, { heads: 2, queryScale, keyScale, turns }),
  }),
  biasGelu: () => ({ operands: { x: make(3, 8), bias: make(8) }, run: ({ x, bias }) => F.biasGelu(x, bias) }),
  fusedLayerNorm: () => ({
    operands: { x: make(3, 8), weight: make(8), bias: make(8) },
    run: ({ x, weight, bias }) => F.fusedLayerNorm(x, weight, bias),
  }),
  addLayerNorm: () => ({
    operands: { x: make(3, 8), delta: make(3, 8), weight: make(8), bias: make(8) },
    run: ({ x, delta, weight, bias }) => F.addLayerNorm(x, delta, weight, bias),
  }),
  modulatedNorm: () => ({
    operands: { x: make(2, 3, 8), shift: make(2, 1, 8), scale: make(2, 1, 8) },
    run: ({ x, shift, scale }) => F.modulatedNorm(x, { shift, scale }),
  }),
  gatedAdd: () => ({
    operands: { x: make(2, 3, 8), gate: make(2, 1, 8), delta: make(2, 3, 8) },
    run: ({ x, gate, delta }) => F.gatedAdd(x, gate, delta),
  }),
};
const every = Object.entries(kernels).flatMap(([name, kernel]) =>
  Object.keys(kernel().operands).map((operand) => [name, operand] as const),
);
const changed = ({ operands }: Kernel, name: string, change: (t: Tensor) => Tensor) => ({
  ...operands,
  [name]: change(operands[name]),
});

describe("each operand of each fused operator", () => {
  test.each(every)("%s: %s alone on the meta device is an error that names it", (name, operand) => {
    const kernel = kernels[name]();
    expect(() => kernel.run(changed(kernel, operand, (t) => t.to("meta")))).toThrow(
      Object.keys(kernel.operands).length === 1
        ? /meta/
        : /on meta.*all tensors must be on one device|on cpu.*on meta/s,
    );
  });

  test.each(every)("%s: %s sparse is an error that names it", (name, operand) => {
    const kernel = kernels[name]();
    const sparse = (t: Tensor) => op("aten::to_sparse")(t) as Tensor;
    expect(() => kernel.run(changed(kernel, operand, sparse))).toThrow(/dense|must be/);
  });

  test.each(every.filter(([, operand]) => operand !== "key_mask"))(
    "%s: %s of integers is an error",
    (name, operand) => {
      const kernel = kernels[name]();
      expect(() => kernel.run(changed(kernel, operand, (t) => t.mul(3).long()))).toThrow(
        `${operand} must be floating-point`,
      );
    },
  );

  test.each(every)("%s: %s strided or negated on reading gives the same values", (name, operand) => {
    const kernel = kernels[name]();
    const values = (result: Tensor | Tensor[]) => [result].flat().map((t) => [...t.toTypedArray()].map(Number));
    const plain = values(kernel.run(kernel.operands));
    const strided = (t: Tensor) =>
      t
        .unsqueeze(-1)
        .expand([...t.shape, 3])
        .contiguous()
        .select(-1, 1);
    expect(values(kernel.run(changed(kernel, operand, strided)))).toEqual(plain);
    if (operand === "key_mask") return;
    const negated = (t: Tensor) => op("aten::_neg_view")(t.neg()) as Tensor;
    expect(values(kernel.run(changed(kernel, operand, negated)))).toEqual(plain);
  });

  // LayerNorm's own operator has no meta kernel in LibTorch 1.13, nor has logical_not.
  const shapeless = ["fusedLayerNorm", "addLayerNorm", "modulatedNorm"];
  test.each(Object.keys(kernels).filter((name) => !shapeless.includes(name)))(
    "%s: all on the meta device have a shape",
    (name) => {
      const { operands: all, run } = kernels[name]();
      const operands = Object.fromEntries(Object.entries(all).filter(([key]) => key !== "key_mask"));
      const meta = Object.fromEntries(Object.entries(operands).map(([key, t]) => [key, t.to("meta")]));
      const shapes = (result: Tensor | Tensor[]) => [result].flat().map((t) => t.shape);
      expect(shapes(run(meta))).toEqual(shapes(run(operands)));
    },
  );

  test("queries and keys of two dtypes", () => {
    expect(() => F.attentionPackedKv(make(1, 3, 8), make(1, 3, 16).bfloat16(), 2)).toThrow(/one dtype is expected/);
  });

  test("nothing to compute is no error", () => {
    expect(F.attentionPackedQkv(make(0, 3, 24), 2).shape).toEqual([0, 3, 8]);
    expect(F.attentionPackedKv(make(1, 0, 8), make(1, 4, 16), 2).shape).toEqual([1, 0, 8]);
    expect(F.attentionPackedKv(make(1, 2, 8), make(1, 0, 16), 2).tolist()).toEqual(zeros([1, 2, 8]).tolist());
    expect(F.fusedLayerNorm(make(0, 4), make(4), make(4)).shape).toEqual([0, 4]);
    const [shift, scale] = [make(1, 1, 4), make(1, 1, 4)];
    expect(F.modulatedNorm(make(0, 3, 4), { shift, scale }).shape).toEqual([0, 3, 4]);
    expect(F.gatedAdd(make(2, 0, 4), scale, make(2, 0, 4)).shape).toEqual([2, 0, 4]);
  });

  test("a gradient that is sparse is taken for what it stands for", () => {
    const x = make(3, 8).requiresGrad_();
    const y = F.biasGelu(x, zeros([8]));
    const seed = zeros([3, 8]);
    seed.at(1).fill_(1);
    const dense = grad(y, [x], { gradOutputs: [seed], retainGraph: true })[0];
    const sparse = grad(y, [x], { gradOutputs: [op("aten::to_sparse")(seed) as Tensor] })[0];
    expect(sparse.tolist()).toEqual(dense.tolist());
  });
});

describe("optimiser steps", () => {
  const lists = () => [[make(4, 4)], [make(4, 4)], [zeros([4, 4])], [zeros([4, 4])]];
  const adam = { lr: 0.1, betas: [0.9, 0.99] as const, eps: 1e-8, weightDecay: 0 };
  const muon = { lr: 0.1, momentum: 0.9, weightDecay: 0, nesterov: true, steps: 5, dtype: "float32" } as const;
  const changes: Record<string, (t: Tensor) => Tensor> = {
    "on meta": (t) => t.to("meta"),
    "of float64": (t) => t.double(),
    "of another shape": (t) => t.slice(0, 0, 2),
  };
  test.each(Object.keys(changes))("any tensor %s is an error", (how) => {
    for (const at of [0, 1, 2, 3]) {
      const [p, g, m, v] = lists().map((list, i) => (i === at ? list.map(changes[how]) : list));
      expect(() => adamwStep_(p, g, m, v, { ...adam, steps: [1] })).toThrow(
        "parameter 0: contiguous float32 CPU tensors",
      );
      if (at < 3) expect(() => muonStep_(p, g, m, muon)).toThrow("parameter 0: contiguous float32 CPU tensors");
    }
  });
  test("counts of steps that are none are errors", () => {
    const [p, g, m, v] = lists();
    expect(() => adamwStep_(p, g, m, v, { ...adam, steps: [0] })).toThrow("steps are counted from 1");
    expect(() => adamwStep_(p, g, m, v, { ...adam, steps: [1, 1] })).toThrow("1 parameters, 2 steps");
  });
});

describe("checkDevices", () => {
  afterEach(() => {
    setDefaultDevice("cpu");
    checkDevices(false);
  });

  test("an operand of another device than the default fails, by name; moving it does not", () => {
    const [x, far] = [make(2), make(2).to("meta")];
    checkDevices(true);
    expect(x.add(x).mul(2).shape).toEqual([2]);
    expect(() => far.neg()).toThrow(/aten::neg\(self: float32\[2\]@meta\): argument "self" is on meta.*only cpu/);
    expect(() => op("aten::cat")([x, far], 0)).toThrow('argument "tensors" is on meta');
    expect(() => F.linear(x, make(3, 2), far)).toThrow("is on meta");
    expect(x.to("meta").device).toBe("meta");
    checkDevices(false);
    expect(far.neg().shape).toEqual([2]);
  });

  test("on another default device the processor's tensors fail, numbers do not", () => {
    const cpu = make(2);
    setDefaultDevice("meta");
    checkDevices(true);
    expect(
      zeros([2])
        .add(1)
        .mul(zeros([2])).device,
    ).toBe("meta");
    expect(() => cpu.add(1)).toThrow('argument "self" is on cpu');
  });
});
