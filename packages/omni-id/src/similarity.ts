import type { IdentityValues } from "./identity-values.ts";

/** What an encoder says of the identities of its training people. */
export interface SimilarityOptions {
  /** Numbers of ℓ, the first ones, that carry the backbone's feature; 0: none. */
  carried: number;
  /** Mean and deviation of ℓ over training people; wanted where nothing is carried. */
  mean: Float32Array;
  deviation: Float32Array;
}

/** How alike two identities are, as `EncoderBundle.compared` has it: a cosine, −1 … 1, higher for the same person. */
export function similarityBy({ carried, mean, deviation }: SimilarityOptions) {
  // What an identity carries of its backbone as it is; else all of it, relative to the training people.
  const compared = ({ values }: IdentityValues) =>
    carried > 0 ? values.subarray(0, carried) : values.map((value, i) => (value - mean[i]) / deviation[i]);
  return (a: IdentityValues, b: IdentityValues): number => cosine(compared(a), compared(b));
}

/**
 * How far an identity lies from those of the training people, by the numbers that carry the backbone's feature, in their
 * deviations: about 1 for pictures of the kind that was trained on. Undefined where nothing is carried, or known of them.
 */
export function strangenessBy({ carried, mean, deviation }: SimilarityOptions) {
  return (values: Float32Array): number | undefined => {
    if (carried === 0 || mean.length < carried) return undefined;
    const apart = values.subarray(0, carried).map((value, i) => (value - mean[i]) / deviation[i]);
    return Math.sqrt(apart.reduce((sum, one) => sum + one * one, 0) / carried);
  };
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [product, one, two] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    product += a[i] * b[i];
    one += a[i] ** 2;
    two += b[i] ** 2;
  }
  return product / Math.sqrt(one * two || 1);
}
