import type { KeyedRandom } from "@omni-id/data";

/** What a step draws from. */
export interface FewToManyOptions {
  /** Identities to choose from: 0 … people − 1. */
  people: number;
  /** Images of each identity (MFHQ: 8). */
  images: number;
  /** Identities in one step. */
  batch: number;
  /** |𝒳ˢ|, photos the encoder sees; one of these is drawn each step (paper: 3). */
  inputs: readonly number[];
  /** |𝒳ʳ|, photos the decoder must reconstruct (paper: 8). */
  targets: number;
}

/** One identity's part of a batch. All numbers are indices. */
export interface FewToManyTask {
  person: number;
  /** 𝒳ˢ */
  inputs: number[];
  /** 𝒳ʳ; it may hold some of the inputs, and in the paper always holds more (section 3.2). */
  targets: number[];
}

/**
 * Few-to-many identity reconstruction (section 3.2): from each of `batch` different identities draw a small input
 * subset 𝒳ˢ and, independently, a larger set 𝒳ʳ of reconstruction targets. Every identity of a step has the same
 * number of inputs, so that the step is one batch.
 */
export function sampleFewToMany(random: KeyedRandom, options: FewToManyOptions): FewToManyTask[] {
  const { people, images, batch, inputs, targets } = options;
  const few = inputs[random.below(inputs.length)];
  return random.choose(people, batch).map((person) => ({
    person,
    inputs: random.choose(images, few),
    targets: random.choose(images, targets),
  }));
}
