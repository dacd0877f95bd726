import type { Tensor } from "@omni-id/torch";
import type { FlowBase } from "../../flow-base.ts";
import type { FlowAdapter } from "../../flow-decoder.ts";
import { heldOutError } from "../held-out-error.ts";

/** Purpose of the generator of held-out noise. */
const HELD_OUT_DRAW = 24;
const TIMES = [0.2, 0.5, 0.8, 0.95];

/** Held-out pictures, and identities `[N, L, C]` that are told of each. */
export interface HeldOutPictures {
  /** x₀ `[N, T, C]` */
  x: Tensor;
  prompts: readonly string[];
  /** The person's own. */
  right: Tensor;
  /** Somebody else's. */
  other: Tensor;
  /** What the base is told of their layouts, `[N, T, C]`. */
  layout?: Tensor | undefined;
  /** How much each token counts, `[N, T]`; all alike when absent. */
  weights?: Tensor;
}

/** At four times: the flow loss with the right identity, and how much worse it is with another one, and with none. */
export function identityErrors(
  { base, decoder }: { base: FlowBase; decoder: FlowAdapter },
  { x, prompts, right, other, layout, weights }: HeldOutPictures,
): Record<string, number> {
  const metrics: Record<string, number> = {};
  for (const time of TIMES) {
    const error = (identities?: Tensor) => {
      const conditions =
        identities && ((start: number, length: number) => decoder.conditions(identities.narrow(0, start, length)));
      return heldOutError(base, x, { time, purpose: HELD_OUT_DRAW, prompts, conditions, layout, weights });
    };
    const own = error(right);
    metrics[`loss_${time}`] = own;
    metrics[`other_${time}`] = error(other) / own - 1;
    metrics[`none_${time}`] = error() / own - 1;
  }
  return metrics;
}
