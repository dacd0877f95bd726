import { cat, isGradEnabled, scope, type Tensor } from "@omni-id/torch";

/**
 * Runs the rows of a batch `[B, …]` through a network, `atOnce` at a time: less memory, the same answer. Where gradients
 * are wanted all go at once, for their maps would be kept anyway.
 */
export function inParts(batch: Tensor, atOnce: number, run: (rows: Tensor) => Tensor): Tensor {
  const [rows] = batch.shape;
  if (rows <= atOnce || (isGradEnabled() && batch.requiresGrad)) return run(batch);
  return scope(() => {
    const parts: Tensor[] = [];
    for (let from = 0; from < rows; from += atOnce) {
      parts.push(scope(() => run(batch.narrow(0, from, Math.min(atOnce, rows - from)))));
    }
    return cat(parts);
  });
}
