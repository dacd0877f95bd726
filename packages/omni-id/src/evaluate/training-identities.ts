import { KeyedRandom } from "@omni-id/data";
import { noGrad, scope, type Tensor } from "@omni-id/torch";
import type { Encoder } from "../encoder.ts";
import { atLeast } from "../few-to-many.ts";
import type { People } from "../people/people.ts";
import { encodeTasks } from "./reconstruct.ts";

/** People of training whose mean stands for "no identity". */
const MEAN_OVER = 256;

/** Identities of some of the training people, from three photos each: `[N, L, C]`. */
export function trainingIdentities(encoder: Encoder, people: People, count = MEAN_OVER): Tensor {
  const random = new KeyedRandom(people.ids.length, 0x1d);
  const tasks = random.choose(people.ids.length, Math.min(count, people.ids.length)).map((person) => ({
    person,
    inputs: threeOf(people.rowsOf(person), random),
    targets: [],
  }));
  return scope(() => noGrad(() => encodeTasks(encoder, people, tasks, 3)));
}

/** Three different photos; of people who have fewer, some again. */
function threeOf(rows: readonly number[], random: KeyedRandom): number[] {
  return atLeast(
    random.choose(rows.length, Math.min(3, rows.length)).map((image) => rows[image]),
    3,
  );
}
