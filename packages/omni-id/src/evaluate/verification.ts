import { type AucEstimate, bootstrapAuc, type ScoredPair } from "@omni-id/data";
import { F, scope, type Tensor, tensor } from "@omni-id/torch";
import type { People } from "../people/people.ts";
import type { LoadedEncoder } from "../weights/first-stage.ts";
import { type CountKey, eachCount, type HeldOutTask } from "./protocol.ts";
import { encodeTasks } from "./reconstruct.ts";

/** What people are told apart by. */
export interface VerificationRows {
  /** The mean feature of the recogniser that is also the nano backbone. */
  recogniser: AucEstimate;
  /** The tokens of ℓ that carry the recogniser's feature: by construction as good as it is. Absent where none do. */
  carried?: AucEstimate;
  /** The rest of ℓ alone: what was learnt. */
  learnt: AucEstimate;
}
export type Verification = Record<CountKey, VerificationRows>;

/** A comparison to be made: the inputs of a test with one photo. */
export interface VerificationPair {
  /** Number of the test whose first inputs are enrolled. */
  task: number;
  /** Number of the probe in {@link VerificationPairs.probes}. */
  probe: number;
}

export interface VerificationPairs {
  /** Rows of the photos that are compared, each once. */
  probes: number[];
  pairs: VerificationPair[];
}

/**
 * Who is compared with what: the inputs of each test with the targets of the same turn, of the same person and of all
 * others. A target is no input of its turn at any count, so no pair shares a photo, and the pairs are the same at every
 * count.
 */
export function verificationPairs(tasks: readonly HeldOutTask[], people: number): VerificationPairs {
  const turns = tasks.length / people;
  const probes = [...new Set(tasks.flatMap(({ targets }) => targets))];
  const place = new Map(probes.map((row, i) => [row, i]));
  const pairs = tasks.flatMap((_, task) =>
    tasks
      .filter((_, other) => other % turns === task % turns)
      .flatMap(({ targets }) => [...new Set(targets)].map((row) => ({ task, probe: place.get(row) as number }))),
  );
  return { probes, pairs };
}

/** ROC AUC of telling held-out people apart, by each of three features and at each count of enrolled photos. */
export function verifyHeldOut({ bundle }: LoadedEncoder, people: People, tasks: readonly HeldOutTask[]): Verification {
  const { probes, pairs } = verificationPairs(tasks, people.ids.length);
  const whose = probes.map((row) => people.personOf(row));
  const single = probes.map((row, i): HeldOutTask => ({ person: whose[i], inputs: [row], targets: [] }));
  const features = (some: readonly HeldOutTask[], inputs: number): Record<keyof VerificationRows, Tensor> => {
    const sets = some.map((task) => task.inputs.slice(0, inputs));
    const identities = encodeTasks(bundle.encoder, people, some, inputs);
    return {
      recogniser: meanFeatures(people.features, sets),
      carried: bundle.carriedPart(identities),
      learnt: bundle.learntPart(identities),
    };
  };
  return scope(() => {
    const probe = features(single, 1);
    return eachCount((inputs) => {
      const gallery = features(tasks, inputs);
      const auc = (by: keyof VerificationRows): AucEstimate => {
        const similarity = scope(() => gallery[by].matmul(probe[by].transpose(0, 1)).tolist() as number[][]);
        const scored = pairs.map(
          ({ task, probe }): ScoredPair => ({
            score: similarity[task][probe],
            gallery: tasks[task].person,
            probe: whose[probe],
          }),
        );
        return bootstrapAuc(scored, people.ids.length);
      };
      const carried = bundle.encoder.carriedTokens > 0 ? { carried: auc("carried") } : {};
      return { recogniser: auc("recogniser"), ...carried, learnt: auc("learnt") };
    });
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

/** "0.998 / 1.000 / 1.000" of the rows by one feature. */
export function describeAuc(verification: Verification, by: keyof VerificationRows): string {
  return (["1", "3", "5"] as const).map((count) => verification[count][by]?.auc.toFixed(3) ?? "–").join(" / ");
}
