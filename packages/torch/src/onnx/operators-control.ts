import type { Tensor } from "../tensor.ts";
import { type NodeContext, type OperatorTable, obeying } from "./node-context.ts";

/** The condition is a value by the time its branch is chosen: what was fed decides, or the file. */
function choose(context: NodeContext): Tensor[] {
  return context.runGraph(context.input(0).item() ? "then_branch" : "else_branch");
}

/** Operators that hold graphs. */
export const controlOperators: OperatorTable = {
  If: obeying("then_branch else_branch", choose),
};
