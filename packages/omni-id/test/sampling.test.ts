import { fromTypedArray, liveTensors, scope, tensor } from "@omni-id/torch";
import { describe, expect, it } from "vitest";
import { dpmSolver, euler, heun, type Solver, type Velocity } from "../src/sampling.ts";
import { guide, guideScene, identityAt, schedule } from "../src/sampling-steps.ts";

// Data of one Gaussian, N(M, S²): the flow has a closed form, x_t = (1 − t) M + σ_t z with σ_t² = (1 − t)² S² + t².
const [M, S] = [0.7, 0.4];
const sigma = (t: number) => Math.sqrt((1 - t) ** 2 * S * S + t * t);
const velocity: Velocity = (x, t) =>
  scope(() => {
    // d/dt of the closed form along its own path.
    const slope = (t - (1 - t) * S * S) / sigma(t) ** 2;
    return x
      .sub((1 - t) * M)
      .mul(slope)
      .sub(M);
  });
const noise = Float64Array.from([-1.3, 0.2, 0.9]);
const truth = Array.from(noise, (z) => M + S * z);

function worst(solver: Solver, steps: number): number {
  const times = schedule({ steps, tokens: 64, shift: false });
  const made = scope(() =>
    solver(velocity, fromTypedArray(noise, [1, 3, 1]), times)
      .flatten()
      .tolist(),
  ) as number[];
  return Math.max(...made.map((value, i) => Math.abs(value - truth[i])));
}

describe("schedule", () => {
  it("runs from 1 to 0, and FLUX's shift moves it towards the noise", () => {
    expect(schedule({ steps: 4, tokens: 256, shift: false })).toEqual([1, 0.75, 0.5, 0.25, 0]);
    const shifted = schedule({ steps: 4, tokens: 4096 });
    // e^1.15 / (e^1.15 + 1/t − 1), as flux/sampling.py computes it
    for (const [i, t] of [1, 0.75, 0.5, 0.25].entries()) {
      expect(shifted[i]).toBeCloseTo(Math.E ** 1.15 / (Math.E ** 1.15 + 1 / t - 1), 12);
    }
    expect(shifted[4]).toBe(0);
    expect(() => schedule({ steps: 0, tokens: 64 })).toThrow(/1 or more steps, not 0/);
  });
});

describe("solvers", () => {
  it("reach the exact picture of a flow that is known in closed form", () => {
    for (const [solver, steps] of [
      [euler, 400],
      [heun, 40],
      [dpmSolver, 40],
    ] as const)
      expect(worst(solver, steps)).toBeLessThan(5e-3);
  });

  it("converge at their order: halving the step halves Euler's error and quarters that of the others", () => {
    expect(worst(euler, 64) / worst(euler, 128)).toBeCloseTo(2, 0);
    expect(worst(heun, 64) / worst(heun, 128)).toBeGreaterThan(3);
    expect(worst(dpmSolver, 64) / worst(dpmSolver, 128)).toBeGreaterThan(3);
    expect(worst(dpmSolver, 16)).toBeLessThan(worst(euler, 16) / 2);
  });

  it("leave no tensors behind, and tell of each step", () => {
    for (const solver of [euler, heun, dpmSolver]) {
      const before = liveTensors();
      const told: number[] = [];
      const start = tensor([0.1, 0.2]).view([1, 2, 1]);
      const made = solver(velocity, start, schedule({ steps: 5, tokens: 64 }), { onStep: (step) => told.push(step) });
      expect(told).toEqual([1, 2, 3, 4, 5]);
      made.dispose();
      start.dispose();
      expect(liveTensors() - before).toBeLessThanOrEqual(1); // the tensor that start is a view of
    }
  });

  it("guidance of 1 changes nothing, more of it goes past the conditional", () => {
    const [a, b] = [tensor([2]), tensor([1])];
    expect(guide(a, b, 1).item()).toBe(2);
    expect(guide(a, b, 3).item()).toBe(4);
  });
});

describe("two guidances", () => {
  it("weigh the three velocities as written out: (1 − s_t) v(∅) + (s_t − s_i) v(text) + s_i v(text, id)", () => {
    const [negative, text, both] = [
      [0.3, -1],
      [1.7, 0.4],
      [-0.6, 2],
    ];
    for (const [st, si] of [
      [1, 1],
      [3, 1],
      [1, 2.5],
      [4, 1.5],
      [2, 0],
    ]) {
      const velocities = { negative: tensor(negative), text: tensor(text), both: tensor(both) };
      const made = guideScene(velocities, { text: st, identity: si }).tolist() as number[];
      for (const i of [0, 1]) {
        expect(made[i]).toBeCloseTo((1 - st) * negative[i] + (st - si) * text[i] + si * both[i], 5);
      }
    }
  });

  it("the identity is told in the steps that lie whole within its span", () => {
    const told = (start: number, end: number) =>
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].filter((step) => identityAt(step, 10, { start, end }));
    expect(told(0, 1)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(told(0.3, 1)).toEqual([3, 4, 5, 6, 7, 8, 9]);
    expect(told(0.25, 0.75)).toEqual([3, 4, 5, 6]);
    expect(told(0, 0.3)).toEqual([0, 1, 2]);
    for (const [start, end] of [
      [0.5, 0.5],
      [-0.1, 1],
      [0, 1.1],
      [Number.NaN, 1],
    ]) {
      expect(() => identityAt(0, 10, { start, end })).toThrow(/give a start below an end, in 0 … 1/);
    }
  });
});
