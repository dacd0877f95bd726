import { arange, cat, scope, type Tensor, tensor, zeros } from "@omni-id/torch";
import { type FluxOptions, formOf } from "./flux-options.ts";

type Axes = Pick<FluxOptions, "generation" | "axes">;

/** What a reference's time coordinate is counted in: the first picture stands at 10, the second at 20. */
const REFERENCE_TIME = 10;

/**
 * Positions of a picture's tokens, row by row: (t, row, column), and in FLUX.2 a fourth coordinate that is 0.
 * `[rows · columns, A]` float32.
 * @param reference the picture's place among the references, from 0; the picture to draw when absent
 */
export function imagePositions(
  { rows, columns, reference }: { rows: number; columns: number; reference?: number },
  { axes }: Pick<FluxOptions, "axes">,
): Tensor {
  const t = reference === undefined ? 0 : REFERENCE_TIME * (1 + reference);
  const rest = axes.slice(3).map(() => 0);
  const places = Array.from({ length: rows * columns }, (_, i) => [t, Math.floor(i / columns), i % columns, ...rest]);
  return scope(() => tensor(places, { shape: [rows * columns, 3 + rest.length], dtype: "float32" }));
}

/** Positions of text tokens: all 0 in FLUX.1, counted by the last coordinate in FLUX.2. `[length, A]` float32. */
export function textPositions({ length, from = 0 }: { length: number; from?: number }, flux: Axes): Tensor {
  const { textAxis } = formOf(flux);
  // By operators and not from a list, so that an exported graph takes texts of any length.
  return scope(() => {
    const none = zeros([length, 1]);
    const counted = arange(length, { dtype: "float32" }).add(from).unsqueeze(1);
    return cat(
      flux.axes.map((_, axis) => (axis === textAxis ? counted : none)),
      1,
    );
  });
}
