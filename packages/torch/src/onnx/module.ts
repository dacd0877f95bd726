import { buffer, Module, parameter } from "../nn/module.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { type Graph, type GraphNode, toGraph } from "./graph.ts";
import { NodeContext } from "./node-context.ts";
import { arrayOperators } from "./operators-array.ts";
import { nnOperators } from "./operators-nn.ts";
import { readModel } from "./proto.ts";

const operators = { ...arrayOperators, ...nnOperators };

export interface ImportOptions {
  /** Floating-point initialisers become parameters to train; else they are buffers. */
  trainable?: boolean;
  /** Keep only the part of the graph between these values, and only its initialisers. */
  between?: { from: readonly string[]; to: readonly string[] };
}

/** Initialisers by their names in the file. */
class Initialisers extends Module {
  readonly [name: string]: unknown;

  constructor(tensors: ReadonlyMap<string, Tensor>, trainable: boolean) {
    super();
    for (const [name, tensor] of tensors) {
      const trained = trainable && tensor.dtype.startsWith("float") && tensor.ndim > 0;
      Object.assign(this, { [name]: trained ? parameter(tensor) : buffer(tensor) });
    }
  }
}

/**
 * An ONNX graph on ATen operators: any batch size, gradients through inputs and weights. This is how a pretrained
 * network becomes a backbone that can be fine-tuned, or a loss.
 */
export class OnnxModule extends Module {
  readonly weights: Initialisers;
  readonly #graph: Graph;
  readonly #path: string;
  readonly #plans = new Map<string, GraphNode[]>();

  /** @internal Use {@link importOnnx}. */
  constructor(path: string, graph: Graph, { trainable = false }: ImportOptions) {
    super();
    this.#path = path;
    this.#graph = graph;
    this.weights = new Initialisers(graph.initialisers, trainable);
  }

  /** Names of the graph's inputs. */
  get inputs(): readonly string[] {
    return this.#graph.inputs;
  }
  /** Names of the graph's outputs. */
  get outputs(): readonly string[] {
    return this.#graph.outputs;
  }

  /**
   * Computes values by name. Feeds and outputs may be any values of the graph; only the nodes between them run, and
   * each inner value is released after its last use.
   * @throws when an output cannot be computed from the feeds, or a node fails (its name and operator are told)
   */
  run(feeds: Readonly<Record<string, Tensor>>, outputs: readonly string[]): Record<string, Tensor> {
    return scope(() => {
      const nodes = this.#plan(Object.keys(feeds), outputs);
      const values = new Map<string, Tensor>(Object.entries(feeds));
      const lastUse = new Map(nodes.flatMap((node, i) => node.inputs.map((name) => [name, i] as const)));
      const kept = new Set([...outputs, ...Object.keys(feeds)]);
      for (const [i, node] of nodes.entries()) {
        for (const [name, tensor] of this.#compute(node, values)) values.set(name, tensor);
        for (const name of node.inputs) {
          if (lastUse.get(name) === i && !kept.has(name)) values.delete(name);
        }
      }
      return Object.fromEntries(outputs.map((name) => [name, values.get(name) as Tensor]));
    });
  }

  /** The first output for the first input. */
  forward(x: Tensor): Tensor {
    const [output] = this.outputs;
    return this.run({ [this.inputs[0]]: x }, [output])[output];
  }

  #compute(node: GraphNode, values: ReadonlyMap<string, Tensor>): [string, Tensor][] {
    const inputs = node.inputs.map((name) => (name === "" ? undefined : this.#value(name, values)));
    try {
      const result = operators[node.op](new NodeContext(node, inputs));
      return node.outputs.flatMap((name, i): [string, Tensor][] => {
        const tensor = Array.isArray(result) ? result[i] : i === 0 ? result : undefined;
        return tensor ? [[name, tensor]] : [];
      });
    } catch (error) {
      throw new Error(`${this.#path}: node ${node.name} (${node.op}): ${(error as Error).message}`);
    }
  }

  #value(name: string, values: ReadonlyMap<string, Tensor>): Tensor {
    const value = values.get(name) ?? (this.weights[name] as Tensor | undefined);
    if (!value) throw new Error(`${this.#path}: value "${name}" is not known`);
    return value;
  }

  /** The nodes needed for `outputs`, in order, given `feeds`. */
  #plan(feeds: readonly string[], outputs: readonly string[]): GraphNode[] {
    const key = JSON.stringify([feeds, outputs]);
    const known = this.#plans.get(key);
    if (known) return known;
    const plan = nodesBetween(this.#path, this.#graph, feeds, outputs);
    this.#plans.set(key, plan);
    return plan;
  }
}

/** @throws when an output needs a value that is neither fed nor computed */
function nodesBetween(path: string, graph: Graph, from: readonly string[], to: readonly string[]): GraphNode[] {
  const maker = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const known = new Set([...from, ...graph.initialisers.keys()]);
  const needed = new Set<GraphNode>();
  const waiting = [...to];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (name === "" || known.has(name)) continue;
    const node = maker.get(name);
    if (!node) {
      const what = graph.inputs.includes(name) ? "an input that was not fed" : "no value of this graph";
      throw new Error(
        `${path}: "${name}" is ${what}; inputs: ${graph.inputs.join(", ")}, outputs: ${graph.outputs.join(", ")}`,
      );
    }
    if (needed.has(node)) continue;
    needed.add(node);
    waiting.push(...node.inputs);
  }
  return graph.nodes.filter((node) => needed.has(node));
}

/**
 * Reads an ONNX file as a module.
 * @throws when the file is no ONNX model, or uses an operator that is not supported: it is named
 */
export function importOnnx(path: string, options: ImportOptions = {}): OnnxModule {
  const graph = toGraph(path, readModel(path));
  if (options.between) {
    const { from, to } = options.between;
    graph.nodes = nodesBetween(path, graph, from, to);
    graph.inputs = [...from];
    graph.outputs = [...to];
    const used = new Set(graph.nodes.flatMap((node) => node.inputs));
    for (const name of graph.initialisers.keys()) if (!used.has(name)) graph.initialisers.delete(name);
  }
  const lacking = graph.nodes.find((node) => !(node.op in operators));
  if (lacking) {
    throw new Error(`${path}: node ${lacking.name} uses operator ${lacking.op}, which importOnnx does not have`);
  }
  return new OnnxModule(path, graph, options);
}
