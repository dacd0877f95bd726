import { cat, randn, scope, type Tensor, zeros } from "@omni-id/torch";
import { type FlowBase, flowError, noised, type Steering } from "../flow-base.ts";
import { keyedGenerator } from "../people/draws.ts";

/** Tokens that a report gives a flow model at once: all 176 pictures of nano's size, 11 of 512 px. */
const TOKENS_AT_ONCE = 176 * 64;

/** What a report asks a flow model. */
export interface HeldOutQuestion {
  /** 0 … 1, for all pictures. */
  time: number;
  /** Purpose of the generator of the noise, which is the same at every step. */
  purpose: number;
  /** One for each picture. */
  prompts: readonly string[];
  /** What the model is told of the pictures from number `start` on, `length` of them. */
  conditions?: (start: number, length: number) => Steering;
  /** What the model is told of the pictures' layouts, `[N, T, C]`. */
  layout?: Tensor | undefined;
  /** How much each token counts, `[N, T]`; all alike when absent. */
  weights?: Tensor | undefined;
}

/** Mean error of the velocity at held-out pictures x₀ `[N, T, C]`, a few at a time. */
export function heldOutError(
  base: FlowBase,
  x: Tensor,
  { time, purpose, prompts, conditions, layout, weights }: HeldOutQuestion,
): number {
  return scope(() => {
    const noise = randn(x.shape, { generator: keyedGenerator(0, Math.round(time * 1000), purpose) });
    const [pictures, tokens] = x.shape;
    const atOnce = Math.max(1, Math.floor(TOKENS_AT_ONCE / tokens));
    const errors: Tensor[] = [];
    for (let start = 0; start < pictures; start += atOnce) {
      const length = Math.min(atOnce, pictures - start);
      const [x0, ε] = [x, noise].map((all) => all.narrow(0, start, length));
      errors.push(
        scope(() => {
          const t = zeros([length]).add(time);
          const told = base.prompts.encode(prompts.slice(start, start + length));
          const some = (of: Tensor | undefined) => of?.narrow(0, start, length);
          const velocity = base.velocity(noised(x0, ε, t), t, told, conditions?.(start, length), some(layout));
          return flowError(velocity, x0, ε, some(weights));
        }),
      );
    }
    return cat(errors).mean().item();
  });
}
