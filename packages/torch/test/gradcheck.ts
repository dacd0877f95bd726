import { grad, noGrad, scope, type Tensor } from "@omni-id/torch";
import { expect } from "vitest";

/**
 * Compares the gradients of sum(fn(...inputs) · fixed random weights) with central differences.
 * Inputs are float64 leaves that require gradients.
 */
export function expectGradients(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: Tensor[],
  { step = 1e-6, rtol = 1e-5, atol = 1e-7 } = {},
): void {
  scope(() => {
    const output = fn(...inputs);
    const weights = Float64Array.from({ length: output.numel }, (_, i) => Math.sin(1 + 2.3 * i)); // no symmetry to hide in
    const value = (): number => {
      const out = scope(() => noGrad(() => fn(...inputs)).toTypedArray());
      return weights.reduce((sum, w, i) => sum + w * Number(out[i]), 0);
    };
    const seed = output.detach().clone();
    (seed.data() as Float64Array).set(weights);
    const analytic = grad(output, inputs, { gradOutputs: [seed] });
    inputs.forEach((input, k) => {
      const ours = analytic[k].toTypedArray();
      const memory = input.detach().data() as Float64Array;
      for (let i = 0; i < memory.length; i++) {
        const before = memory[i];
        memory[i] = before + step;
        const up = value();
        memory[i] = before - step;
        const down = value();
        memory[i] = before;
        const numeric = (up - down) / (2 * step);
        const error = Math.abs(Number(ours[i]) - numeric);
        const scale = Math.max(1, Math.abs(numeric));
        if (!(error <= atol * 10 + rtol * scale))
          expect.fail(`input ${k}, element ${i}: gradient ${ours[i]}, finite difference ${numeric}`);
      }
    });
  });
}
