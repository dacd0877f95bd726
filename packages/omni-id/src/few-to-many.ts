import type { KeyedRandom } from "@omni-id/data";
import type { PeopleShare } from "./people/share.ts";

/** What a step draws from. */
export interface FewToManyOptions {
  /** Images of each identity (MFHQ: 8 of everybody). */
  counts: readonly number[];
  /**
   * Of whom an altered copy of the only photo stands behind it, as image number `counts[person]`: in steps of one input
   * they take part with it as the input and the photo as the target. Nobody where absent.
   */
  altered?: readonly boolean[];
  /** Sets that the identities come from, in their order; one where absent. */
  shares?: readonly PeopleShare[];
  /** Identities in one step. */
  batch: number;
  /** |𝒳ˢ|, photos the encoder sees; one of these is drawn each step (paper: 3). */
  inputs: readonly number[];
  /** |𝒳ʳ|, photos the decoder must reconstruct (paper: 8); of people who have fewer, some stand there several times. */
  targets: number;
  /** Whether the targets are drawn from all photos (the paper, and the default), or from the inputs alone. */
  targetsFrom?: "all" | "inputs";
  /**
   * Images of each identity that the targets are drawn from, where these are others than the photos that go in (section
   * 4.3: faces in, scenes out). `counts` then tells of the inputs alone, and everybody with enough of them takes part.
   */
  targetCounts?: readonly number[];
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
 * number of inputs, so that the step is one batch; drawn are those who have a photo more than that.
 * @throws when too few people have photos enough for a step
 */
export function sampleFewToMany(random: KeyedRandom, options: FewToManyOptions): FewToManyTask[] {
  const { counts, altered = [], shares = [{ people: counts.length, weight: 1 }], batch, inputs, targets } = options;
  const { few, able } = ableFor(inputs[random.below(inputs.length)], options);
  return drawPeople(random, batch, able, shares).map((person) => {
    const given = altered[person] ? [counts[person]] : random.choose(counts[person], few);
    const among = targetsOf(person, given, options);
    const wanted = random.choose(among.length, Math.min(targets, among.length)).map((place) => among[place]);
    return { person, inputs: given, targets: atLeast(wanted, targets) };
  });
}

/** Images that a person's targets are drawn from. */
function targetsOf(person: number, given: readonly number[], options: FewToManyOptions): readonly number[] {
  if (options.targetCounts) return [...Array(options.targetCounts[person]).keys()];
  return options.targetsFrom === "inputs" ? given : [...Array(options.counts[person]).keys()];
}

/** Who takes part in a step of `few` inputs; where they are too few for a step, in one of fewer inputs. */
function ableFor(
  few: number,
  { counts, altered = [], batch, inputs, targetCounts }: FewToManyOptions,
): { few: number; able: readonly number[] } {
  const everybody = [...counts.keys()];
  // People with equally many photos all take part, were it with all of them.
  const equal = !targetCounts && !altered.includes(true) && counts.every((count) => count === counts[0]);
  if (equal && counts[0] >= few && counts.length >= batch) {
    return { few, able: everybody };
  }
  const enough = (person: number, count: number) =>
    targetCounts ? counts[person] >= count && targetCounts[person] > 0 : counts[person] > count;
  const takesPart = (person: number, count: number) => enough(person, count) || (count === 1 && altered[person]);
  const fewer = [...new Set(inputs)].sort((a, b) => b - a).filter((count) => count <= few);
  for (const count of fewer) {
    const able = everybody.filter((person) => takesPart(person, count));
    if (able.length >= batch) return { few: count, able };
  }
  const least = Math.min(...inputs);
  const able = everybody.filter((person) => takesPart(person, least)).length;
  throw new RangeError(
    `a step wants ${batch} people with at least ${least + (targetCounts ? 0 : 1)} photos each, and ${able} have them; lower the batch, or add people`,
  );
}

/** Different people, each set as often as it weighs. @param able whose turn it may be, in order */
function drawPeople(
  random: KeyedRandom,
  batch: number,
  able: readonly number[],
  shares: readonly PeopleShare[],
): number[] {
  if (shares.length === 1) return random.choose(able.length, batch).map((place) => able[place]);
  let from = 0;
  const sets = shares.map(({ people, weight }) => {
    const own = able.filter((person) => person >= from && person < from + people);
    from += people;
    return { own, weight, wanted: 0 };
  });
  for (let i = 0; i < batch; i++) {
    // A set whose people are all drawn leaves its turn to the others.
    const left = sets.filter(({ own, wanted }) => wanted < own.length);
    random.weighted(left.map((set) => [set, set.weight] as const)).wanted++;
  }
  return sets.flatMap(({ own, wanted }) => random.choose(own.length, wanted).map((place) => own[place]));
}

/** A list, from its start again until it is long enough. */
export function atLeast<T>(list: readonly T[], length: number): T[] {
  return Array.from({ length: Math.max(length, list.length) }, (_, i) => list[i % list.length]);
}
