import type { Tensor } from "../tensor.ts";
import { type AttributeProto, type NodeProto, type OnnxFile, toNumber, type ValueInfoProto } from "./proto.ts";
import { toTensor } from "./tensor-proto.ts";

export type Attribute = number | number[] | string | Tensor;

/** A node of the graph as the operators see it. */
export interface GraphNode {
  name: string;
  op: string;
  inputs: string[];
  outputs: string[];
  attributes: ReadonlyMap<string, Attribute>;
}

export interface Graph {
  /** In an order in which every value is made before it is used. */
  nodes: GraphNode[];
  initialisers: Map<string, Tensor>;
  inputs: readonly string[];
  outputs: readonly string[];
  opset: number;
  /** Exported for one image at a time: its shapes hold a 1 where another batch size may have to stand. */
  oneImage: boolean;
}

export interface Cut {
  from: readonly string[];
  to: readonly string[];
}

type UnreadNode = Omit<GraphNode, "attributes"> & { proto: NodeProto };

/**
 * Turns the decoded file, or the part of it between some values, into plain data and tensors. Tensors are kept out of
 * scopes.
 * @throws when a node's operator is not among `known`, or an attribute or a tensor is of a kind that is not supported
 */
export function toGraph(path: string, { graph, opset }: OnnxFile, known: (op: string) => boolean, cut?: Cut): Graph {
  const stored = new Set(graph.initializer.map(({ name }) => name));
  // Before IR version 4 initialisers are inputs too.
  const fed = graph.input.filter(({ name }) => !stored.has(name));
  const inputs = cut?.from ?? fed.map(({ name }) => name);
  const outputs = cut?.to ?? graph.output.map(({ name }) => name);

  const all = graph.node.map(unread);
  const nodes = cut ? nodesBetween({ path, nodes: all, stored, inputs, outputs }, inputs, outputs) : all;
  checkOperators(path, nodes, known);

  const used = new Set(nodes.flatMap((node) => node.inputs));
  const wanted = graph.initializer.filter(({ name }) => !cut || used.has(name));
  return {
    nodes: nodes.map(({ proto, ...node }) => ({ ...node, attributes: readAttributes(path, node, proto) })),
    initialisers: new Map(wanted.map((tensor) => [tensor.name, toTensor(path, tensor)])),
    inputs,
    outputs,
    opset,
    oneImage: fed.length > 0 && fed.every(isOneImage),
  };
}

function unread(proto: NodeProto): UnreadNode {
  const { name, opType, domain, input, output } = proto;
  const foreign = domain && domain !== "ai.onnx" ? `${domain}.` : "";
  return { name: name || output[0], op: foreign + opType, inputs: input, outputs: output, proto };
}

function isOneImage({ type }: ValueInfoProto): boolean {
  const first = type?.tensorType?.shape?.dim[0];
  return first !== undefined && !first.dimParam && toNumber(first.dimValue) === 1;
}

function checkOperators(path: string, nodes: readonly UnreadNode[], known: (op: string) => boolean): void {
  const lacking = new Map<string, string>();
  for (const { op, name } of nodes) if (!known(op) && !lacking.has(op)) lacking.set(op, name);
  if (lacking.size === 0) return;
  const list = [...lacking].map(([op, name]) => `${op} (node ${name})`).join(", ");
  throw new Error(`${path}: importOnnx does not have the operator${lacking.size > 1 ? "s" : ""} ${list}`);
}

function readAttributes(path: string, node: { name: string; op: string }, proto: NodeProto): Map<string, Attribute> {
  return new Map(
    proto.attribute.map((attribute) => {
      const value = readAttribute(path, attribute);
      if (value === undefined) {
        const what = `attribute "${attribute.name}" is of a kind (${attribute.type}) that is not supported`;
        throw new Error(`${path}: node ${node.name} (${node.op}): ${what}`);
      }
      return [attribute.name, value];
    }),
  );
}

/** By AttributeProto.AttributeType. */
function readAttribute(path: string, attribute: AttributeProto): Attribute | undefined {
  switch (attribute.type) {
    case 1:
      return attribute.f;
    case 2:
      return toNumber(attribute.i);
    case 3:
      return Buffer.from(attribute.s).toString("utf8");
    case 4:
      return attribute.t ? toTensor(path, attribute.t) : undefined;
    case 6:
      return [...attribute.floats];
    case 7:
      return attribute.ints.map(toNumber);
    default:
      return undefined;
  }
}

/** What a search for nodes goes through. */
export interface Wiring<N> {
  path: string;
  nodes: readonly N[];
  /** Values that the file holds. */
  stored: { has(name: string): boolean };
  inputs: readonly string[];
  outputs: readonly string[];
}

/**
 * The nodes that make `to` from `from`, in order.
 * @throws when a value is needed that is neither given nor computed
 */
export function nodesBetween<N extends { inputs: readonly string[]; outputs: readonly string[] }>(
  { path, nodes, stored, inputs, outputs }: Wiring<N>,
  from: readonly string[],
  to: readonly string[],
): N[] {
  const maker = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const given = new Set(from);
  const needed = new Set<N>();
  const waiting = [...to];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (name === "" || given.has(name) || stored.has(name)) continue;
    const node = maker.get(name);
    if (!node) {
      const what = inputs.includes(name) ? "is an input that was not fed" : "is no value of this graph";
      throw new Error(`${path}: "${name}" ${what}; inputs: ${inputs.join(", ")}; outputs: ${outputs.join(", ")}`);
    }
    if (needed.has(node)) continue;
    needed.add(node);
    waiting.push(...node.inputs);
  }
  return nodes.filter((node) => needed.has(node));
}
