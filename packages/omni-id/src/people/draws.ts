import { Generator, rand, randn, scope, type Tensor } from "@omni-id/torch";
import type { FlowTimes } from "../presets/schema.ts";
import { keyedSeed } from "./keyed-seed.ts";

/** Times and noise of one step's pictures. */
export interface FlowDraws {
  /** `[B]`, 0 (picture) … 1 (noise). */
  t: Tensor;
  /** ε, `[B, N, C]`. */
  noise: Tensor;
}

/** A generator whose numbers depend on its key alone. */
export function keyedGenerator(seed: number, step: number, purpose: number): Generator {
  return new Generator(keyedSeed(seed, step, purpose));
}

/** Draws t (see the preset's `times`) and ε for `batch` pictures of `[tokens, channels]`. */
export function drawFlow(
  generator: Generator,
  batch: number,
  [tokens, channels]: readonly [number, number],
  times: FlowTimes,
): FlowDraws {
  return scope(() => {
    const t =
      times.kind === "uniform" ? rand([batch], { generator }) : randn([batch], { generator }).add(times.mean).sigmoid();
    return { t, noise: randn([batch, tokens, channels], { generator }) };
  });
}
