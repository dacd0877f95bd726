import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import type { Graph, GraphNode } from "./graph.ts";
import { NodeContext, type OnnxOperator, type RunSettings } from "./node-context.ts";
import { arrayOperators } from "./operators-array.ts";
import { controlOperators } from "./operators-control.ts";
import { mathOperators } from "./operators-math.ts";
import { nnOperators } from "./operators-nn.ts";
import { recurrentOperators } from "./operators-recurrent.ts";
import { scatterOperators } from "./operators-scatter.ts";

/** All operators by name. */
export const operators: ReadonlyMap<string, OnnxOperator> = new Map(
  [mathOperators, arrayOperators, scatterOperators, nnOperators, recurrentOperators, controlOperators].flatMap(
    (table) => Object.entries(table),
  ),
);

export type ComputeSettings = Omit<RunSettings, "run"> & { path: string };

/** A node's outputs by name. @throws with the file, the node and its operator */
export function computeNode(
  node: GraphNode,
  operator: OnnxOperator,
  inputs: readonly (Tensor | undefined)[],
  settings: ComputeSettings,
): [string, Tensor][] {
  const run = (graph: Graph, values: ReadonlyMap<string, Tensor>) => computeGraph(graph, values, settings);
  try {
    return scope(() => {
      const results = [operator(new NodeContext(node, inputs, { ...settings, run }, operator))].flat();
      const named = node.outputs.flatMap((name, i): [string, Tensor][] =>
        name !== "" && results[i] ? [[name, results[i]]] : [],
      );
      // Every value has a handle of its own, so that it can be released without its neighbours.
      const taken = new Set<unknown>([...inputs, ...node.attributes.values()]);
      return named.map(([name, tensor]) => [name, taken.has(tensor) ? tensor.viewAs(tensor) : tensor]);
    });
  } catch (error) {
    const many = settings.batch !== undefined && settings.batch > 1;
    const hint = many ? " (the model was exported for one image at a time: does a batch of 1 work?)" : "";
    throw new Error(`${settings.path}: node ${node.name} (${node.op}): ${(error as Error).message}${hint}`);
  }
}

/** A graph inside a node: its values live as long as the node's own scope. */
function computeGraph(graph: Graph, around: ReadonlyMap<string, Tensor>, settings: ComputeSettings): Tensor[] {
  const values = new Map(around);
  const find = (name: string): Tensor => {
    const value = values.get(name);
    if (!value) throw new Error(`"${name}" is not computed`);
    return value;
  };
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => (name === "" ? undefined : find(name)));
    const operator = operators.get(node.op) as OnnxOperator;
    for (const [name, tensor] of computeNode(node, operator, inputs, settings)) values.set(name, tensor);
  }
  return graph.outputs.map(find);
}
