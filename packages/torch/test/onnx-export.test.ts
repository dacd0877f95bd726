import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  arange,
  cat,
  type ExportOptions,
  exportOnnx,
  F,
  Generator,
  importOnnx,
  nn,
  noGrad,
  type OnnxExport,
  ones,
  randint,
  randn,
  scope,
  stack,
  Tensor,
  tensor,
  where,
  zeros,
} from "@omni-id/torch";
import { afterAll, describe, expect, test } from "vitest";
import { expectClose } from "./close.ts";
import { runReference, withFile } from "./onnx-graph.ts";

const folder = mkdtempSync(join(tmpdir(), "omni-id-export-"));
afterAll(() => rmSync(folder, { recursive: true }));
const generator = new Generator(12);
const normal = (...shape: number[]) => randn(shape, { generator });
type Inputs = Record<string, Tensor>;

/** The exported graph gives what the function gives: in onnxruntime, and read back by our own importer. */
async function expectSame(exported: OnnxExport, fn: (inputs: Inputs) => Tensor | Readonly<Inputs>, inputs: Inputs) {
  const bytes = exported.bytes();
  const got = await runReference(bytes, inputs);
  const result = noGrad(() => fn(inputs));
  const wanted = result instanceof Tensor ? { output: result } : result;
  const back = withFile(bytes, (path) => importOnnx(path));
  const ours = noGrad(() => back.run(inputs, exported.outputs));
  for (const [i, name] of exported.outputs.entries()) {
    expect(got[i].shape).toEqual(wanted[name].shape);
    expectClose(got[i], wanted[name], { atol: 1e-5, rtol: 1e-5 });
    expect(ours[name].shape).toEqual(wanted[name].shape);
    expectClose(ours[name], wanted[name], { atol: 1e-5, rtol: 1e-5 });
  }
}

/** Recorded at two sizes and run at a third. */
function dynamic(
  name: string,
  fn: (inputs: Inputs) => Tensor | Readonly<Inputs>,
  at: (n: number) => Inputs,
  options: ExportOptions = {},
) {
  test(name, async () => {
    const exported = exportOnnx(fn, at(3), { ...options, second: at(5) });
    for (const n of [3, 4, 7]) await expectSame(exported, fn, at(n));
  });
}

const x = (n: number) => ({ x: normal(n, 4) });
const image = (n: number) => ({ x: normal(n, 4, 6, 8) });
const tokens = (n: number) => ({ x: normal(2, n, 12) });

describe("element by element", () => {
  const unary = "exp sin cos tanh sigmoid erf relu square neg abs floor ceil round sign".split(" ") as "exp"[];
  dynamic("unary", ({ x: t }) => Object.fromEntries(unary.map((op) => [op, t[op]()])), x);
  dynamic(
    "of positive numbers",
    ({ x: t }) => {
      const p = t.abs().add(0.5);
      return { log: p.log(), sqrt: p.sqrt(), rsqrt: p.rsqrt(), reciprocal: p.reciprocal(), pow: p.pow(1.7) };
    },
    x,
  );
  dynamic(
    "activations",
    ({ x: t }) => ({
      silu: F.silu(t),
      gelu: F.gelu(t),
      tanh: F.gelu(t, { approximate: "tanh" }),
      leaky: F.leakyRelu(t, 0.2),
    }),
    x,
  );
  dynamic(
    "with tensors and numbers, in place too",
    ({ x: t }) => ({
      sum: t.add(2).sub(t, { alpha: 3 }).mul(0.5).div(t.square().add(1)),
      place: t.mul(2).add_(1).mul_(3),
      max: t.maximum(t.neg()).minimum(tensor(0.7)),
      clamp: t.clamp(-0.5, 0.5),
      low: t.clampMin(0.1),
      addcmul: t.addcmul(t, t.add(1), { value: 0.5 }),
      lerp: t.lerp(t.mul(3), 0.25),
      chosen: where(t.gt(0).logicalAnd(t.lt(1)), t, t.mul(-1)),
      filled: t.maskedFill(t.le(0.2), 9),
    }),
    x,
  );
  dynamic("other dtypes", ({ x: t }) => ({ long: t.mul(5).long(), bool: t.gt(0).float(), both: t.add(t.long()) }), x);
});

describe("shapes", () => {
  dynamic(
    "that follow from the inputs",
    ({ x: t }) => {
      const [batch, channels, height, width] = t.shape;
      return {
        flat: t.flatten(1),
        view: t.reshape([batch * channels, height, width]),
        heads: t.unflatten(1, [2, -1]).transpose(1, 2),
        permuted: t.permute([0, 2, 3, 1]).contiguous(),
        squeezed: t.narrow(1, 1, 1).squeeze(1).unsqueeze(-1),
        selected: t.select(2, -1),
        rows: t.select(0, batch - 1),
        expanded: t.narrow(0, 0, 1).expand([batch, channels, height, width]),
        grid: zeros([batch, 2]).add(t.mean([1, 2, 3]).unsqueeze(1)),
        repeated: t.mean([2, 3]).repeat([2, 3]),
        flipped: t.flip([3]),
        shuffled: F.pixelShuffle(t, 2),
        apart: F.pixelUnshuffle(t, 2),
      };
    },
    image,
  );
  dynamic(
    "of a sequence",
    ({ x: t }) => {
      const length = t.shape[1];
      const [a, b, c] = t.chunk(3, 2);
      const places = arange(length, { dtype: "float32" }).mul(0.1);
      return {
        joined: cat([a, zeros([2, 2, 4]), b], 1),
        stacked: stack([a, b, c], 1).flatten(2),
        last: t.narrow(1, length - 2, 2),
        rest: t.narrow(1, 1, length - 1),
        places: a.add(places.unsqueeze(1)),
        normed: t.norm(2, { ord: 2, keepdim: true }),
        ones: ones([length, length]).sum([1]),
        square: zeros([length ** 2, 3 * length + 2]).add(t.sum()),
      };
    },
    tokens,
  );
  dynamic(
    "by places",
    ({ ids, x: t }) => ({
      rows: F.embedding(ids, t),
      picked: t.indexSelect(0, ids.flatten()),
      largest: t.argmax(1),
      smallest: t.argmin(0, { keepdim: true }),
      first: t.gather(1, ids.narrow(0, 0, 1).expand([6, ids.shape[1]]).clamp(0, 3)),
      put: t.scatter(1, ids.narrow(0, 0, 1).expand([6, ids.shape[1]]).clamp(0, 3).narrow(1, 0, 1), t.narrow(1, 1, 1)),
      sums: t.cumsum(-1),
      upper: t.triu(1).add(t.tril(-1)),
    }),
    (n) => ({ ids: randint(0, 6, [2, n], { generator }), x: normal(6, 4) }),
  );
});

describe("layers, with their weights' names", () => {
  class Net extends nn.Module {
    readonly embed = new nn.Conv2d({ in: 4, out: 8, kernel: 3, stride: 2, padding: 1, generator });
    readonly norm = new nn.GroupNorm({ groups: 2, channels: 8 });
    readonly batch = new nn.BatchNorm({ channels: 8 });
    readonly ln = new nn.LayerNorm({ size: 12 });
    readonly rms = new nn.RMSNorm({ size: 12 });
    readonly fc = new nn.Linear({ in: 12, out: 12, generator });
    readonly slope = nn.parameter(normal(8).abs());
    forward({ x: t }: Inputs): Tensor {
      const y = F.prelu(this.batch.forward(this.norm.forward(this.embed.forward(t))), this.slope); // [B, 8, 3, 4]
      const flat = F.maxPool2d(F.interpolate(y, { scaleFactor: 2 }), [2, 2]).flatten(2); // [B, 8, 12]
      const h = this.rms.forward(this.fc.forward(this.ln.forward(flat)));
      return F.layerNorm(h, [12]).matmul(h.transpose(1, 2)).softmax(-1);
    }
  }
  const net = new Net().eval();
  noGrad(() => {
    for (const t of net.parameters()) t.add_(randn(t.shape, { generator }).mul(0.1));
  });
  dynamic("convolutions, norms, products", (inputs) => net.forward(inputs), image, { module: net });

  test("are stored by the keys of the state dict", () => {
    const exported = exportOnnx((inputs) => net.forward(inputs), image(2), { module: net });
    const names = withFile(exported.bytes(), (path) => [...importOnnx(path).stateDict().keys()]);
    const used = [...net.stateDict().keys()].map((key) => `weights.${key}`);
    expect(names.filter((name) => used.includes(name)).sort()).toEqual(used.sort());
  });

  test("in 16 bits are refused with what to do", () => {
    const linear = new nn.Linear({ in: 4, out: 2 }).to({ dtype: "bfloat16" });
    const exported = exportOnnx(({ x: t }) => linear.forward(t.bfloat16()).float(), x(2), { module: linear });
    expect(() => exported.bytes()).toThrow(
      /a weight is bfloat16; convert the model with to\({ dtype: "float32" }\) first/,
    );
  });
});

describe("our fused operators", () => {
  const [weight, bias] = [normal(12), normal(12)];
  const scale = normal(3);
  dynamic(
    "norms and GELU",
    ({ x: t }) => {
      const [sum, normed] = F.addLayerNorm(t, t.mul(0.5), weight, bias, { eps: 1e-4 });
      return {
        sum,
        normed,
        norm: F.fusedLayerNorm(t, weight, bias),
        modulated: F.modulatedNorm(t, { shift: t.narrow(1, 0, 1), scale: t.narrow(1, 1, 1), eps: 1e-4 }),
        gated: F.gatedAdd(t, t.narrow(1, 0, 1), t.mul(0.3)),
        gelu: F.biasGelu(t, bias),
        tanh: F.biasGelu(t, bias, { approximate: "tanh" }),
      };
    },
    tokens,
  );
  dynamic(
    "attention and rotary positions",
    ({ x: t, keys, turns, seen }) => {
      const qkv = F.qkNormRope(t, {
        heads: 2,
        queryScale: scale.narrow(0, 0, 2),
        keyScale: scale.narrow(0, 1, 2),
        turns,
      });
      return {
        self: F.attentionPackedQkv(qkv, 2),
        cross: F.attentionPackedKv(t.narrow(2, 0, 4), keys, 2),
        masked: F.attentionPackedKv(t.narrow(2, 0, 4), keys, 2, { keyMask: seen.gt(0) }),
        plain: nn.attention(
          t.unflatten(2, [3, 4]).transpose(1, 2),
          t.unflatten(2, [3, 4]).transpose(1, 2),
          t.unflatten(2, [3, 4]).transpose(1, 2),
        ),
      };
    },
    (n) => ({
      x: normal(2, n, 12),
      keys: normal(2, 6, 8),
      turns: normal(n, 2),
      seen: tensor([
        [1, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0],
      ]),
    }),
  );
});

describe("what a graph cannot hold is an error with the line", () => {
  const here = /onnx-export\.test\.ts:\d+/;
  const problem = (fn: (inputs: Inputs) => Tensor, options: ExportOptions = {}) => {
    try {
      exportOnnx(fn, x(3), options);
    } catch (error) {
      return (error as Error).message;
    }
    throw new Error("it was exported");
  };
  test("an operator without a rule", () => {
    const message = problem(({ x: t }) => t.erfinv());
    expect(message).toMatch(/^exportOnnx: aten::erfinv has no rule; it is called at /);
    expect(message).toMatch(here);
  });
  test("a value that is read", () => {
    const message = problem(({ x: t }) => t.mul(t.sum().item()));
    expect(message).toMatch(/a value that depends on the inputs is read in JavaScript, at/);
    expect(message).toMatch(here);
    expect(x(2).x.sum().item()).toBeTypeOf("number"); // and the guard is gone
  });
  test("a view that is changed in place", () => {
    const message = problem(({ x: t }) => {
      const y = t.mul(2);
      y.narrow(0, 0, 1).mul_(3);
      return y;
    });
    expect(message).toMatch(/aten::mul_\.Scalar changes a tensor that shares its memory with another, at/);
  });
  test("runs that differ, sizes that nothing explains, tensors of JavaScript", () => {
    const second = x(5);
    expect(problem(({ x: t }) => (t.shape[0] > 4 ? t.exp() : t.sin()), { second })).toMatch(
      /calls other operators at the second example: aten::sin at .*, then aten::exp at/,
    );
    expect(problem(({ x: t }) => t.add(tensor(Array.from({ length: t.shape[0] }, (_, i) => [i]))), { second })).toMatch(
      /a tensor \[3, 1\] that JavaScript made differs at the second example \[5, 1\]; make it by operators, or give it as an input/,
    );
    expect(problem(({ x: t }) => t.sum([0]).add(zeros([Math.floor(t.shape[0] / 2)]).sum()), { second })).toMatch(
      /which no size of the inputs explains/,
    );
    expect(problem(({ x: t }) => t, { second: { y: x(3).x } })).toMatch(/the second example must have "x" too/);
  });
});

test("large weights lie in a file beside the model, and come back", async () => {
  const linear = new nn.Linear({ in: 4, out: 3, generator });
  const fn = ({ x: t }: Inputs) => linear.forward(t);
  const path = join(folder, "large.onnx");
  exportOnnx(fn, x(2), { module: linear, second: x(3) }).save(path, { externalFrom: 10 });
  expect(readdirSync(folder).sort()).toEqual(["large.onnx", "large.onnx.data"]);
  expect(statSync(`${path}.data`).size).toBe(4 * 15);
  const inputs = x(6);
  const [got] = await runReference(path, inputs);
  const wanted = noGrad(() => fn(inputs));
  expectClose(got, wanted);
  expectClose(
    noGrad(() => importOnnx(path).forward(inputs.x)),
    wanted,
  );
});

test("weights of 16 bits take half of the file and are widened before they are used", async () => {
  const linear = new nn.Linear({ in: 4, out: 600, generator });
  const fn = ({ x: t }: Inputs) => linear.forward(t);
  const exported = exportOnnx(fn, x(2), { module: linear, second: x(3) });
  const [wide, narrow] = [exported.bytes(), exported.bytes({ weights: "float16" })];
  expect(wide.length - narrow.length).toBeGreaterThan(2 * 600 * 4 - 300);
  const inputs = x(6);
  const rounded = new nn.Linear({ in: 4, out: 600 });
  rounded.loadStateDict(new Map([...linear.stateDict()].map(([key, t]) => [key, t.ndim > 1 ? t.half().float() : t])));
  const wanted = noGrad(() => rounded.forward(inputs.x));
  const [got] = await runReference(narrow, inputs);
  expectClose(got, wanted);
  expectClose(
    noGrad(() => withFile(narrow, (path) => importOnnx(path)).forward(inputs.x)),
    wanted,
  );
});

test("recording leaves nothing behind", () => {
  scope(() => {
    const before = x(2).x.exp();
    exportOnnx(({ x: t }) => t.exp(), x(2));
    expect(before.exp().shape).toEqual([2, 4]);
  });
});
