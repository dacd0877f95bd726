import { KeyedRandom } from "@omni-id/data";
import { cat, noGrad, scope, type Tensor } from "@omni-id/torch";
import { atLeast } from "../few-to-many.ts";
import { chunk } from "../people/chunk.ts";
import type { SetEncoder } from "../people/encode-rows.ts";
import type { People } from "../people/people.ts";
import { encodeTasks } from "./reconstruct.ts";

/** People of training whose mean stands for "no identity". */
const MEAN_OVER = 256;
/** People whose photos are in memory together. */
const AT_ONCE = 44;

/** Rows of three photos each of some of the training people, always the same ones. */
export function trainingSets(people: People, count = MEAN_OVER): { inputs: number[] }[] {
  const random = new KeyedRandom(people.ids.length, 0x1d);
  return random
    .choose(people.ids.length, Math.min(count, people.ids.length))
    .map((person) => ({ inputs: threeOf(people.rowsOf(person), random) }));
}

/** Identities of some of the training people, from three photos each: `[N, L, C]`. */
export async function trainingIdentities(encoder: SetEncoder, people: People, count = MEAN_OVER): Promise<Tensor> {
  const parts: Tensor[] = [];
  for (const some of chunk(trainingSets(people, count), AT_ONCE)) {
    const pictures = await people.pictures({ maps: some.flatMap(({ inputs }) => inputs) });
    parts.push(scope(() => noGrad(() => encodeTasks(encoder, pictures, some, 3))));
    pictures[Symbol.dispose]();
  }
  const joined = scope(() => cat(parts));
  for (const part of parts) part.dispose();
  return joined;
}

/** Three different photos; of people who have fewer, some again. */
function threeOf(rows: readonly number[], random: KeyedRandom): number[] {
  return atLeast(
    random.choose(rows.length, Math.min(3, rows.length)).map((image) => rows[image]),
    3,
  );
}
