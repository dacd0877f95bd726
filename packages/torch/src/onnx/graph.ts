import type { Tensor } from "../tensor.ts";
import {
  type AttributeProto,
  type GraphProto,
  type NodeProto,
  type OnnxFile,
  toNumber,
  type ValueInfoProto,
} from "./proto.ts";
import { toTensor } from "./tensor-proto.ts";

export type Attribute = number | number[] | string | string[] | Tensor | Graph;

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

/** What is known of an operator by name: which attributes it obeys. Undefined where there is no such operator. */
export type KnownOperator = (op: string) => { attributes?: ReadonlySet<string> } | undefined;

/**
 * Turns the decoded file, or the part of it between some values, into plain data and tensors. Tensors are kept out of
 * scopes.
 * @throws when a node's operator is not among `known` or does not obey one of its attributes, or an attribute or a tensor
 * is of a kind that is not supported
 */
export function toGraph(path: string, { graph, opset }: OnnxFile, known: KnownOperator, cut?: Cut): Graph {
  hoistStored(graph);
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
  const initialisers = new Map(wanted.map((tensor) => [tensor.name, toTensor(path, tensor)]));
  const context = { path, known, opset };
  return {
    nodes: nodes.map((node) => readNode(node, context)),
    initialisers,
    inputs,
    outputs,
    opset,
    oneImage: fed.length > 0 && fed.every(isOneImage),
  };
}

interface Reading {
  path: string;
  known: KnownOperator;
  opset: number;
}

function readNode({ proto, ...node }: UnreadNode, context: Reading): GraphNode {
  const { path, known } = context;
  const obeyed = known(node.op)?.attributes;
  const attributes = proto.attribute.map((attribute): [string, Attribute] => {
    const where = `${path}: node ${node.name} (${node.op}): attribute "${attribute.name}"`;
    if (!obeyed?.has(attribute.name)) throw new Error(`${where} is not known to importOnnx, and would not be obeyed`);
    const value = attribute.g ? readInner(attribute.g, context) : readAttribute(path, attribute);
    if (value === undefined) throw new Error(`${where} is of a kind (${attribute.type}) that is not supported`);
    return [attribute.name, value];
  });
  return { ...node, attributes: new Map(attributes) };
}

/** A graph inside a node, whose values are all made in it or come from around it. */
function readInner({ node, output }: GraphProto, context: Reading): Graph {
  const nodes = node.map((proto) => readNode(unread(proto), context));
  const outputs = output.map(({ name }) => name);
  return { nodes, initialisers: new Map(), inputs: [], outputs, opset: context.opset, oneImage: false };
}

/** Tensors that graphs inside nodes hold become the model's, by names of their own: they move and train with the rest. */
function hoistStored(graph: GraphProto): void {
  for (const node of graph.node) {
    for (const { name, g } of node.attribute) {
      if (!g) continue;
      hoistStored(g);
      for (const tensor of g.initializer) {
        const own = `${node.name || node.output[0]}.${name}.${tensor.name}`;
        renameValue(g, tensor.name, own);
        graph.initializer.push({ ...tensor, name: own });
      }
      g.initializer = [];
    }
  }
}

function renameValue(graph: GraphProto, from: string, to: string): void {
  const renamed = (name: string) => (name === from ? to : name);
  for (const node of graph.node) {
    node.input = node.input.map(renamed);
    for (const { g } of node.attribute) if (g) renameValue(g, from, to);
  }
  for (const output of graph.output) output.name = renamed(output.name);
}

/** Values of the graph around a node that the graphs inside it use. */
function valuesFromOutside(proto: NodeProto): string[] {
  const inner = proto.attribute.flatMap(({ g }) => (g ? [g] : []));
  return [...new Set(inner.flatMap(valuesUsed))];
}

function valuesUsed(graph: GraphProto): string[] {
  const own = new Set([...graph.input.map(({ name }) => name), ...graph.node.flatMap(({ output }) => output)]);
  const used = graph.node.flatMap((node) => [...node.input, ...valuesFromOutside(node)]);
  return [...used, ...graph.output.map(({ name }) => name)].filter((name) => name !== "" && !own.has(name));
}

function unread(proto: NodeProto): UnreadNode {
  const { name, opType, domain, input, output } = proto;
  const foreign = domain && domain !== "ai.onnx" ? `${domain}.` : "";
  const inputs = [...input, ...valuesFromOutside(proto)];
  return { name: name || output[0], op: foreign + opType, inputs, outputs: output, proto };
}

function isOneImage({ type }: ValueInfoProto): boolean {
  const first = type?.tensorType?.shape?.dim[0];
  return first !== undefined && !first.dimParam && toNumber(first.dimValue) === 1;
}

/** All that are lacking are told at once, those inside other nodes too. */
function checkOperators(path: string, nodes: readonly UnreadNode[], known: KnownOperator): void {
  const lacking = new Map<string, string>();
  const visit = (node: UnreadNode): void => {
    if (!known(node.op) && !lacking.has(node.op)) lacking.set(node.op, node.name);
    for (const { g } of node.proto.attribute) for (const inner of g?.node ?? []) visit(unread(inner));
  };
  for (const node of nodes) visit(node);
  if (lacking.size === 0) return;
  const list = [...lacking].map(([op, name]) => `${op} (node ${name})`).join(", ");
  throw new Error(`${path}: importOnnx does not have the operator${lacking.size > 1 ? "s" : ""} ${list}`);
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
    case 8:
      return attribute.strings.map((text) => Buffer.from(text).toString("utf8"));
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
