import { readFileSync } from "node:fs";
import {
  fromTypedArray,
  Generator,
  nn,
  noGrad,
  onDevice,
  randn,
  scope,
  type Tensor,
  tensor,
  zeros,
} from "@omni-id/torch";
import { describe, expect, test } from "vitest";
import { expectClose } from "./close.ts";
import { expectGradients } from "./gradcheck.ts";

interface Flat {
  shape: number[];
  values: number[];
}
interface ModuleCase {
  state: Record<string, Flat>;
  input: Flat;
  output: Flat;
  gradients: Record<string, Flat>;
  inputGradient: Flat | null;
  after: Record<string, Flat>;
}
const golden = JSON.parse(readFileSync(new URL("fixtures/nn.json", import.meta.url), "utf8")) as {
  modules: Record<string, ModuleCase>;
  attention: { q: Flat; k: Flat; v: Flat; mask: Flat; output: Flat; gradients: Flat[] };
};

const toTensor = ({ shape, values }: Flat): Tensor => fromTypedArray(Float32Array.from(values), shape);
/** The fixture's loss is sum(y · sin(0, 1, 2 …)): nothing cancels by symmetry. */
const seedFor = (y: Tensor): Tensor =>
  fromTypedArray(
    Float32Array.from({ length: y.numel }, (_, i) => Math.sin(i)),
    y.shape,
  );

const modules: Record<string, () => nn.Module & { forward(x: Tensor): Tensor }> = {
  Linear: () => new nn.Linear({ in: 4, out: 3 }),
  "Linear without bias": () => new nn.Linear({ in: 4, out: 3, bias: false }),
  LayerNorm: () => new nn.LayerNorm({ size: 6 }),
  RMSNorm: () => new nn.RMSNorm({ size: 6 }),
  GroupNorm: () => new nn.GroupNorm({ groups: 2, channels: 6 }),
  Conv2d: () => new nn.Conv2d({ in: 4, out: 6, kernel: 3, stride: 2, padding: 1, dilation: 2, groups: 2 }),
  "BatchNorm in training": () => new nn.BatchNorm({ channels: 3 }),
  "BatchNorm in use": () => new nn.BatchNorm({ channels: 3 }).eval() as nn.BatchNorm,
  Embedding: () => new nn.Embedding({ num: 5, dim: 3 }),
  Sequential: () =>
    new nn.Sequential([
      new nn.Linear({ in: 4, out: 6 }),
      new nn.GELU(),
      new nn.Linear({ in: 6, out: 2 }),
      new nn.SiLU(),
    ]),
  "Sequential with tanh GELU": () =>
    new nn.Sequential([new nn.Linear({ in: 4, out: 6 }), new nn.GELU({ approximate: "tanh" })]),
};

describe("equal to PyTorch: value, gradients, state after", () => {
  test.each(Object.keys(golden.modules))("%s", (name) => {
    const { state, input, output, gradients, inputGradient, after } = golden.modules[name];
    const module = modules[name]();
    module.loadStateDict(new Map(Object.entries(state).map(([key, value]) => [key, toTensor(value)])));
    const x = inputGradient ? toTensor(input).requiresGrad_() : toTensor(input).long();
    const y = module.forward(x);
    expect(y.shape).toEqual(output.shape);
    expectClose(y, output.values, { atol: 2e-6 });
    y.backward(seedFor(y));
    for (const [key, parameter] of module.namedParameters()) {
      expectClose(parameter.grad as Tensor, gradients[key].values, { atol: 5e-6 });
    }
    if (inputGradient) expectClose(x.grad as Tensor, inputGradient.values, { atol: 5e-6 });
    for (const [key, value] of Object.entries(after)) {
      expectClose(module.stateDict().get(key) as Tensor, value.values, { atol: 1e-6 });
    }
  });

  test("attention with a mask", () => {
    const { q, k, v, mask, output, gradients } = golden.attention;
    const inputs = [q, k, v].map((flat) => toTensor(flat).requiresGrad_());
    const y = nn.attention(inputs[0], inputs[1], inputs[2], { mask: toTensor(mask).bool() });
    expectClose(y, output.values, { atol: 2e-6 });
    y.backward(seedFor(y));
    for (const [i, input] of inputs.entries()) {
      expectClose(input.grad as Tensor, gradients[i].values, { atol: 5e-6 });
    }
  });
});

const generator = new Generator(5);
const leaf = (...shape: number[]) => randn(shape, { dtype: "float64", generator, requiresGrad: true });

/** Gradients to the input and to every parameter, in float64. */
function expectModuleGradients(module: nn.Module & { forward(x: Tensor): Tensor }, x: Tensor): void {
  module.to({ dtype: "float64" });
  expectGradients(() => module.forward(x), [x, ...module.parameters()]);
}

describe("gradients equal finite differences", () => {
  const shapes: Record<string, number[]> = {
    Linear: [2, 3, 4],
    "Linear without bias": [3, 4],
    LayerNorm: [3, 6],
    RMSNorm: [3, 6],
    GroupNorm: [2, 6, 2, 2],
    Conv2d: [1, 4, 6, 5],
    "BatchNorm in use": [3, 3, 2, 2],
    Sequential: [3, 4],
    "Sequential with tanh GELU": [2, 4],
  };
  test.each(Object.entries(shapes))("%s", (name, shape) => expectModuleGradients(modules[name](), leaf(...shape)));

  test("BatchNorm in training, whose running state moves", () => {
    const norm = new nn.BatchNorm({ channels: 3 }).to({ dtype: "float64" });
    const x = leaf(3, 3, 2, 2);
    expectGradients((input) => norm.forward(input), [x, ...norm.parameters()]);
  });

  test("Embedding", () => {
    const table = new nn.Embedding({ num: 4, dim: 3 }).to({ dtype: "float64" });
    const rows = tensor([0, 3, 3, 1], { dtype: "int64" });
    expectGradients(() => table.forward(rows), table.parameters());
  });

  test("attention, both forms of mask", () => {
    const mask = tensor([true, false, true, true, true, false], { shape: [2, 3] });
    const bias = leaf(2, 3);
    expectGradients(
      (q, k, v) => nn.attention(q, k, v, { mask }),
      [leaf(1, 2, 2, 4), leaf(1, 2, 3, 4), leaf(1, 2, 3, 4)],
    );
    expectGradients(
      (q, k, v, b) => nn.attention(q, k, v, { mask: b, scale: 0.3 }),
      [leaf(1, 2, 2, 4), leaf(1, 2, 3, 4), leaf(1, 2, 3, 4), bias],
    );
  });
});

class Block extends nn.Module {
  readonly norm = new nn.LayerNorm({ size: 4 });
  readonly layers = [new nn.Linear({ in: 4, out: 4 }), new nn.Linear({ in: 4, out: 4, bias: false })];
  readonly scale = nn.buffer(zeros([4]));
  readonly heads = 2;
}

describe("Module", () => {
  test("the path of a field is its key", () => {
    expect([...new Block().stateDict().keys()]).toEqual([
      "norm.weight",
      "norm.bias",
      "layers.0.weight",
      "layers.0.bias",
      "layers.1.weight",
      "scale",
    ]);
    expect(new Block().namedBuffers().map(([key]) => key)).toEqual(["scale"]);
  });

  test("strict loading lists what is missing, unexpected and mis-shaped, and changes nothing", () => {
    const block = new Block();
    const before = Array.from(block.norm.weight.toTypedArray() as Float32Array);
    const state = new Map(new Block().stateDict());
    state.get("norm.weight")?.detach().fill_(7);
    state.delete("scale");
    state.set("layers.0.weight", zeros([4, 5]));
    state.set("layers.2.weight", zeros([1]));
    const load = () => block.loadStateDict(state);
    expect(load).toThrow(/scale/);
    expect(load).toThrow(/layers\.2\.weight/);
    expect(load).toThrow(/layers\.0\.weight.*\[4, ?5\].*\[4, ?4\]|layers\.0\.weight.*\[4, ?4\].*\[4, ?5\]/);
    expect(Array.from(block.norm.weight.toTypedArray() as Float32Array)).toEqual(before);
  });

  test("loading without strict takes what fits by name, and converts the dtype", () => {
    const block = new Block();
    block.loadStateDict(new Map([["norm.bias", tensor([1, 2, 3, 4], { dtype: "float64" })]]), { strict: false });
    expect(block.norm.bias.dtype).toBe("float32");
    expectClose(block.norm.bias, [1, 2, 3, 4]);
  });

  test("on meta a module has keys and shapes only; assigned weights are the tensors themselves", () => {
    const module = onDevice("meta", () => new nn.Linear({ in: 100_000, out: 100_000, bias: false }));
    expect([module.weight.device, module.weight.shape]).toEqual(["meta", [100_000, 100_000]]);
    expect(zeros([1]).device).toBe("cpu");
    const block = onDevice("meta", () => new Block());
    const weights = new Map([...new Block().stateDict()].map(([key, t]) => [key, t.detach().double()]));
    block.loadStateDict(weights, { assign: true });
    expect([block.norm.weight.dtype, block.norm.weight.device]).toEqual(["float64", "cpu"]);
    expect(block.layers[0].weight.requiresGrad).toBe(true);
    noGrad(() => weights.get("layers.0.weight")?.fill_(3));
    expect(block.layers[0].weight.at(0, 0).item()).toBe(3);
    expect([...block.stateDict().keys()]).toEqual([...weights.keys()]);
  });

  test("frozen parameters get no gradient; train and eval reach every part", () => {
    const block = new Block().requiresGrad_(false);
    expect(block.parameters().some((p) => p.requiresGrad)).toBe(false);
    block.eval();
    expect([...block.namedModules()].every(([, m]) => !m.training)).toBe(true);
    expect(block.train().layers[1].training).toBe(true);
  });

  test("parameters outlive the scope they were made in", () => {
    const linear = scope(() => new nn.Linear({ in: 3, out: 2 }));
    expect(noGrad(() => linear.forward(zeros([1, 3]))).shape).toEqual([1, 2]);
  });
});
