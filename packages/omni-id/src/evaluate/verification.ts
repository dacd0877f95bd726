import { rocAuc } from "@omni-id/data";
import { F, scope, type Tensor, tensor } from "@omni-id/torch";

/**
 * ROC AUC of telling people apart: every gallery entry (an identity of M photos) against every probe (an identity of
 * one other photo), by a similarity of rows.
 * @param gallery `[G, D]`, features of length 1 @param probes `[P, D]`
 */
export function verificationAuc(
  gallery: Tensor,
  galleryPeople: readonly number[],
  probes: Tensor,
  probePeople: readonly number[],
): number {
  return scope(() => {
    const similarity = gallery.matmul(probes.transpose(0, 1)).tolist() as number[][];
    const positive: number[] = [];
    const negative: number[] = [];
    for (const [g, row] of similarity.entries()) {
      for (const [p, value] of row.entries()) (galleryPeople[g] === probePeople[p] ? positive : negative).push(value);
    }
    return rocAuc(positive, negative);
  });
}

/** The mean of each set's unit features, of length 1 again: `features [rows, D]`, sets of rows → `[sets, D]`. */
export function meanFeatures(features: Tensor, sets: readonly (readonly number[])[]): Tensor {
  return scope(() => {
    const [count] = [sets[0].length];
    const rows = features.indexSelect(0, tensor(sets.flat(), { dtype: "int64" }));
    return F.normalize(rows.view([sets.length, count, -1]).mean([1]), { dim: 1 });
  });
}
