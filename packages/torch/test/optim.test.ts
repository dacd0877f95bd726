import { readFileSync } from "node:fs";
import {
  fromTypedArray,
  Generator,
  nn,
  noGrad,
  optim,
  preferredPrecision,
  randn,
  type Tensor,
  zeros,
} from "@omni-id/torch";
import { describe, expect, test } from "vitest";
import { expectClose } from "./close.ts";

interface Flat {
  shape: number[];
  values: number[];
}
const { optimisers } = JSON.parse(readFileSync(new URL("fixtures/nn.json", import.meta.url), "utf8")) as {
  optimisers: Record<string, { start: Flat[]; history: Flat[][] }>;
};
interface Optimiser {
  step(): void;
  stateTensors(): Map<string, Tensor>;
  loadStateTensors(state: ReadonlyMap<string, Tensor>): void;
}
type Make = (params: Tensor[]) => Optimiser;

const toParameter = ({ shape, values }: Flat, dtype: "float32" | "float64") =>
  nn.parameter(fromTypedArray(Float64Array.from(values), shape).to(dtype));
/** The gradients of the fixture's step `i`. */
const setGradients = (params: readonly Tensor[], i: number) =>
  noGrad(() => {
    for (const [k, p] of params.entries())
      p.grad = p
        .detach()
        .mul(k + 1)
        .add(i)
        .sin();
  });

const adamw: Record<string, Make> = {
  AdamW: (params) => new optim.AdamW(params, { lr: 0.05, betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0.1 }),
  "AdamW without decay": (params) => new optim.AdamW(params, { lr: 0.01, weightDecay: 0 }),
};
const muon: Make = (params) => new optim.Muon(params, { lr: 0.05, momentum: 0.95, weightDecay: 0.1 });

function follow(name: string, make: Make, dtype: "float32" | "float64", tolerance: { atol: number; rtol?: number }) {
  const { start, history } = optimisers[name];
  const params = start.map((flat) => toParameter(flat, dtype));
  const optimiser = make(params);
  history.forEach((after, i) => {
    setGradients(params, i);
    optimiser.step();
    for (const [k, p] of params.entries()) expectClose(p, after[k].values, tolerance);
  });
}

describe("step for step as PyTorch's", () => {
  test.each(Object.keys(adamw))("%s, in one pass and by list operators", (name) => {
    follow(name, adamw[name], "float32", { atol: 2e-6 });
    follow(name, adamw[name], "float64", { atol: 2e-5 }); // the reference is float32: the last digits are its own
  });

  test("Muon, as far as the precision of its iteration goes", () => {
    // Ten steps of 0.05: in bfloat16 a direction is right to about 2 %, and errors add up.
    const tolerance = { atol: preferredPrecision() === "bfloat16" ? 0.06 : 1e-4 };
    follow("Muon", muon, "float32", tolerance);
    follow("Muon", muon, "float64", tolerance);
  });
});

describe("state", () => {
  const matrices = () => optimisers.Muon.start.map((flat) => toParameter(flat, "float32"));

  test.each([
    ["AdamW", adamw.AdamW],
    ["Muon", muon],
  ] as const)("%s goes on from its saved state, bit for bit", (_, make) => {
    const whole = matrices();
    const a = make(whole);
    for (let i = 0; i < 6; i++) {
      setGradients(whole, i);
      a.step();
    }
    const half = matrices();
    const b = make(half);
    for (let i = 0; i < 3; i++) {
      setGradients(half, i);
      b.step();
    }
    const copies = half.map((p) => nn.parameter(p.detach().clone()));
    const c = make(copies);
    c.loadStateTensors(b.stateTensors());
    for (let i = 3; i < 6; i++) {
      setGradients(copies, i);
      c.step();
    }
    for (const [k, p] of copies.entries()) {
      expect([...(p.toTypedArray() as Float32Array)]).toEqual([...(whole[k].toTypedArray() as Float32Array)]);
    }
  });

  test("of other parameters is refused by name", () => {
    const optimiser = adamw.AdamW(matrices());
    const other = adamw.AdamW([nn.parameter(zeros([2, 2]))]);
    expect(() => optimiser.loadStateTensors(other.stateTensors())).toThrow(/0\.exp_avg/);
  });

  test("a parameter without a gradient is left alone", () => {
    const [p, q] = matrices();
    const before = [...(q.toTypedArray() as Float32Array)];
    p.grad = p.detach().clone();
    adamw.AdamW([p, q]).step();
    expect([...(q.toTypedArray() as Float32Array)]).toEqual(before);
  });

  // Bias correction by a parameter's own count: the first step of Adam is lr · sign(gradient), whenever it comes.
  test.each(["float32", "float64"] as const)("a parameter that joins late starts at its own step one, %s", (dtype) => {
    const [early, late] = [1, 1].map((value) => nn.parameter(zeros([3], { dtype }).add(value)));
    const optimiser = new optim.AdamW([early, late], { lr: 0.01, weightDecay: 0 });
    const gradient = zeros([3], { dtype }).add(0.3);
    for (let i = 0; i < 200; i++) {
      early.grad = gradient.clone();
      optimiser.step();
    }
    late.grad = gradient.clone();
    optimiser.step();
    expectClose(late, [0.99, 0.99, 0.99], { atol: 1e-6 });
    // As alone: the counts of others make no difference.
    const alone = nn.parameter(zeros([3], { dtype }).add(1));
    const single = new optim.AdamW([alone], { lr: 0.01, weightDecay: 0 });
    alone.grad = gradient.clone();
    single.step();
    for (let i = 0; i < 3; i++) {
      for (const p of [late, alone]) p.grad = gradient.mul(i - 1);
      early.grad = i === 1 ? null : gradient.clone();
      optimiser.step();
      single.step();
    }
    expect(late.tolist()).toEqual(alone.tolist());
    const copies = [early, late].map((p) => nn.parameter(p.detach().clone()));
    const resumed = new optim.AdamW(copies, { lr: 0.01, weightDecay: 0 });
    resumed.loadStateTensors(optimiser.stateTensors());
    for (const p of [early, late, ...copies]) p.grad = gradient.clone();
    optimiser.step();
    resumed.step();
    expect(copies.map((p) => p.tolist())).toEqual([early, late].map((p) => p.tolist()));
  });

  test("of before each parameter had its count goes on with the one that all shared", () => {
    const [whole, resumed] = [matrices(), matrices()];
    const [a, b] = [whole, resumed].map((params) => adamw.AdamW(params));
    for (let i = 0; i < 3; i++) {
      setGradients(whole, i);
      whole[1].grad = null; // never trained before: its averages are 0, and it has made no step
      a.step();
    }
    const old = new Map([...a.stateTensors()].filter(([key]) => !key.endsWith(".step")));
    b.loadStateTensors(old);
    noGrad(() => {
      for (const [k, p] of resumed.entries()) p.copy_(whole[k]);
    });
    for (const [params, optimiser] of [
      [whole, a],
      [resumed, b],
    ] as const) {
      setGradients(params, 3);
      optimiser.step();
    }
    expect(resumed.map((p) => p.tolist())).toEqual(whole.map((p) => p.tolist()));
  });

  test("Muon refuses what is no matrix", () => {
    expect(() => new optim.Muon([nn.parameter(zeros([3]))])).toThrow(/\[3\].*AdamW/);
  });
});

test("orthogonalise moves singular values towards 1, tall and wide alike", () => {
  const generator = new Generator(2);
  for (const [rows, columns] of [
    [24, 8],
    [8, 24],
  ]) {
    const q = optim.orthogonalise(randn([3, rows, columns], { generator })).float();
    const gram = rows > columns ? q.transpose(1, 2).matmul(q) : q.matmul(q.transpose(1, 2));
    const squares = [...(gram.toTypedArray() as Float32Array)].filter((_, i) => (i % 64) % 9 === 0);
    for (const square of squares) expect(Math.sqrt(square)).toBeGreaterThan(0.6);
    for (const square of squares) expect(Math.sqrt(square)).toBeLessThan(1.25);
  }
});

test("clipGradNorm scales all gradients together, and only down", () => {
  const params = [nn.parameter(zeros([2])), nn.parameter(zeros([3])), nn.parameter(zeros([1]))];
  params[0].grad = fromTypedArray(Float32Array.of(3, 0), [2]);
  params[1].grad = fromTypedArray(Float32Array.of(0, 4, 0), [3]);
  expect(optim.clipGradNorm(params, 10)).toBeCloseTo(5, 5);
  expectClose(params[1].grad, [0, 4, 0]);
  expect(optim.clipGradNorm(params, 1)).toBeCloseTo(5, 5);
  expectClose(params[0].grad, [0.6, 0], { atol: 1e-5 });
  expectClose(params[1].grad, [0, 0.8, 0], { atol: 1e-5 });
});

test("EMA: the documented average, swapped in and out", () => {
  const p = nn.parameter(zeros([1]));
  const ema = new optim.EMA([p], { decay: 0.5, warmup: false });
  noGrad(() => p.fill_(1));
  ema.update();
  noGrad(() => p.fill_(3));
  ema.update(); // 0.5 · (0.5 · 0 + 0.5 · 1) + 0.5 · 3
  ema.swap();
  expectClose(p, [1.75]);
  ema.swap();
  expectClose(p, [3]);
});
