import type { Tensor } from "@omni-id/torch";
import type { FlowBase } from "../flow-base.ts";
import type { People } from "../people/people.ts";
import { layoutOf, layoutTokens } from "../pictures/head-layout.ts";

/** What a flow model is told of the layout of some rows' pictures, `[B, N, C]`; nothing where it takes none. */
export function peopleLayout(base: FlowBase, people: People, rows: readonly number[]): Tensor | undefined {
  if (base.layoutChannels === 0) return undefined;
  const side = base.across * base.patchSize;
  const landmarks = people.landmarksOf(rows);
  const layouts = rows.map((row, i) => layoutOf(landmarks[i], side, people.poseOf(row)));
  return layoutTokens(layouts, base.across);
}
