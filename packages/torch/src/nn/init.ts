import { empty } from "../factories.ts";
import type { Generator } from "../generator.ts";
import type { Tensor } from "../tensor.ts";

/** Uniform in ±1/√fanIn: what PyTorch's kaiming_uniform(a = √5) comes to for weights and biases of linear layers. */
export function uniformByFanIn(shape: readonly number[], fanIn: number, generator?: Generator): Tensor {
  const bound = fanIn > 0 ? 1 / Math.sqrt(fanIn) : 0;
  return empty(shape).uniform_(-bound, bound, { generator });
}
