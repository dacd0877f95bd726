import { autocast, type DType, type nn, scope } from "@omni-id/torch";
import type { Pictures } from "../people/picture-source.ts";
import type { Optimisers } from "./optimisers.ts";
import type { Pieces } from "./pieces.ts";
import { batchOf, type Stage } from "./stage.ts";
import type { Team } from "./team.ts";

/** What matrix products run in. */
export type Precision = Extract<DType, "bfloat16" | "float16" | "float32">;

/** What a step came to. */
export type StepOutcome = { figures: Record<string, number> } | { trouble: string; batch: string };

/** Who takes part in a step. */
export interface StepParts<Batch> {
  stage: Stage<Batch>;
  optimisers: Optimisers;
  team: Team;
  precision: Precision;
  pieces: Pieces<Batch>;
}

/** A loss scale below this one has lost float16's advantage: something else is wrong. */
const SMALLEST_SCALE = 2 ** -10;

/** One step: the losses of all pieces, their gradients, the optimisers. Weights are not touched when something is not finite. */
export function takeStep<Batch>(
  { stage, optimisers, team, precision, pieces }: StepParts<Batch>,
  step: number,
  pictures: readonly Pictures[] | undefined,
): StepOutcome {
  const { scaler } = optimisers;
  const count = pieces.shares.length;
  return scope((): StepOutcome => {
    const sums: Record<string, number> = {};
    const cast = <T>(fn: () => T) => autocast({ dtype: precision, enabled: precision !== "float32" }, fn);
    cast(() => pieces.begin(step, pictures));
    for (const [m, piece] of pieces.shares.entries()) {
      const trouble = scope(() => {
        const batch = batchOf(stage, step, piece);
        pieces.next();
        const { loss, metrics } = cast(() => stage.loss(batch, step, piece, pictures?.[m]));
        const means = team.figures({ loss: loss.item(), ...metrics });
        // Before the step: weights that have met a NaN cannot be saved.
        if (!Number.isFinite(means.loss)) {
          return { trouble: `the loss is ${means.loss}`, batch: stage.describe(batch) };
        }
        for (const [name, value] of Object.entries(means)) sums[name] = (sums[name] ?? 0) + value;
        const share = count === 1 ? loss : loss.div(count);
        const start = scaler ? scaler.scaled(share) : share;
        if (m < count - 1) team.alone(() => start.backward());
        else start.backward();
        return undefined;
      });
      if (trouble) return trouble;
    }
    const figures = count === 1 ? sums : divided(sums, count);
    scaler?.unscale(optimisers.parameters);
    const norm = optimisers.clip();
    if (scaler) {
      scaler.update(Number.isFinite(norm));
      figures.scale = scaler.scale;
      if (!Number.isFinite(norm) && scaler.scale >= SMALLEST_SCALE) {
        optimisers.skip();
        return { figures };
      }
    }
    if (!Number.isFinite(norm)) {
      const key = firstNotFinite(stage.model);
      const trouble = `the gradient${key ? ` of "${key}"` : ""} is not finite (norm ${norm}), though the loss is ${figures.loss}`;
      return { trouble, batch: stage.describe(batchOf(stage, step, pieces.shares[0])) };
    }
    optimisers.step(step);
    return { figures: { ...figures, norm } };
  });
}

const divided = (sums: Record<string, number>, count: number): Record<string, number> =>
  Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / count]));

/** Key of the first parameter whose gradient holds a NaN or an infinity. */
function firstNotFinite(model: nn.Module): string | undefined {
  return scope(
    () => model.namedParameters().find(([, { grad }]) => grad && !grad.float().isfinite().all().item())?.[0],
  );
}
