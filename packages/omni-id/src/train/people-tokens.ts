import { noGrad, scope, type Tensor, tensor } from "@omni-id/torch";
import type { FlowBase } from "../flow-base.ts";
import type { People } from "../people/people.ts";
import { toUnit } from "../pictures/rgb-batch.ts";

/** x₀ of some rows of {@link People}, `[rows, N, C]`. */
export function peopleTokens(base: FlowBase, people: People, rows: readonly number[]): Tensor {
  return scope(() => noGrad(() => base.tokens(toUnit(people.crops.indexSelect(0, tensor(rows, { dtype: "int64" }))))));
}
