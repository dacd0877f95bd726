import { noGrad, scope, type Tensor } from "@omni-id/torch";
import type { FlowBase } from "../flow-base.ts";
import type { Pictures } from "../people/picture-source.ts";
import { toUnit } from "../pictures/rgb-batch.ts";

/** x₀ of some rows of people, `[rows, N, C]`. */
export function peopleTokens(base: FlowBase, pictures: Pick<Pictures, "cropsOf">, rows: readonly number[]): Tensor {
  return scope(() => noGrad(() => base.tokens(toUnit(pictures.cropsOf(rows)))));
}
