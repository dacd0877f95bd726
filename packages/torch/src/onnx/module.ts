import { buffer, Module, parameter } from "../nn/module.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { type ComputeSettings, computeNode, operators } from "./compute.ts";
import { type Cut, type Graph, type GraphNode, nodesBetween, toGraph } from "./graph.ts";
import type { OnnxOperator } from "./node-context.ts";
import { readModel } from "./proto.ts";

export interface ImportOptions {
  /** Floating-point initialisers become parameters to train; else they are buffers. */
  trainable?: boolean;
  /** Keep only the part of the graph between these values, and only its initialisers. */
  between?: Cut;
}

/** A tensor's key: its name in the file, unless modules keep that for themselves, as `to` and `train`. */
const keyOf = (name: string): string => (name in Module.prototype || name === "training" ? `${name}_` : name);

/** Initialisers by their names in the file. */
class Initialisers extends Module {
  readonly [name: string]: unknown;

  constructor(tensors: ReadonlyMap<string, Tensor>, trainable: boolean) {
    super();
    for (const [name, tensor] of tensors) {
      const trained = trainable && tensor.dtype.includes("float") && tensor.ndim > 0;
      Object.assign(this, { [keyOf(name)]: trained ? parameter(tensor) : buffer(tensor) });
    }
  }
}

/** A node of a run, and the values that nobody needs after it. */
interface Step {
  node: GraphNode;
  operator: OnnxOperator;
  dead: readonly string[];
  /** Works on what was fed, not only on weights and sizes. */
  live: boolean;
}

/**
 * An ONNX graph on ATen operators: any batch size, gradients through inputs and weights. This is how a pretrained
 * network becomes a backbone that can be fine-tuned, or a loss. Batch normalisation uses the statistics in the file:
 * the graph runs as it was exported, whatever `training` says.
 */
export class OnnxModule extends Module {
  readonly weights: Initialisers;
  readonly #graph: Graph;
  readonly #path: string;
  readonly #plans = new Map<string, Step[]>();

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
    const [first] = Object.values(feeds);
    const { opset, oneImage } = this.#graph;
    const settings = {
      opset,
      batch: oneImage ? first?.shape[0] : undefined,
      device: first?.device ?? "cpu",
      path: this.#path,
    };
    return scope(() => {
      const values = new Map<string, Tensor>(Object.entries(feeds));
      for (const step of this.#plan(Object.keys(feeds), outputs)) {
        for (const [name, tensor] of this.#compute(step, values, settings)) {
          if (!Object.hasOwn(feeds, name)) values.set(name, tensor);
        }
        for (const name of step.dead) {
          values.get(name)?.dispose();
          values.delete(name);
        }
      }
      return Object.fromEntries(outputs.map((name) => [name, this.#value(name, values)]));
    });
  }

  /** The first output for the first input. */
  forward(x: Tensor): Tensor {
    const [output] = this.outputs;
    return this.run({ [this.inputs[0]]: x }, [output])[output];
  }

  #compute({ node, operator, live }: Step, values: ReadonlyMap<string, Tensor>, settings: ComputeSettings) {
    const inputs = node.inputs.map((name) => (name === "" ? undefined : this.#value(name, values)));
    return computeNode(node, operator, inputs, live ? settings : { ...settings, batch: undefined });
  }

  #value(name: string, values: ReadonlyMap<string, Tensor>): Tensor {
    const value = values.get(name) ?? (this.#graph.initialisers.has(name) ? this.weights[keyOf(name)] : undefined);
    if (!value) throw new Error(`${this.#path}: "${name}" is a further output of its node, which is not computed`);
    return value as Tensor;
  }

  /** The nodes needed for `outputs`, in order, given `feeds`. */
  #plan(feeds: readonly string[], outputs: readonly string[]): Step[] {
    const key = JSON.stringify([feeds, outputs]);
    const known = this.#plans.get(key);
    if (known) return known;
    const wiring = { ...this.#graph, path: this.#path, stored: this.#graph.initialisers };
    const plan = toSteps(nodesBetween(wiring, feeds, outputs), feeds, outputs);
    this.#plans.set(key, plan);
    return plan;
  }
}

function toSteps(nodes: readonly GraphNode[], feeds: readonly string[], outputs: readonly string[]): Step[] {
  const kept = new Set([...feeds, ...outputs]);
  // A value dies after its last use, or where it is made if it has none.
  const last = new Map(nodes.flatMap((node, i) => [...node.outputs, ...node.inputs].map((name) => [name, i] as const)));
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const live = new Set(feeds);
  return nodes.map((node, i) => {
    const isLive = node.op !== "Shape" && node.op !== "Size" && node.inputs.some((name) => live.has(name));
    if (isLive) for (const name of node.outputs) live.add(name);
    const ending = new Set([...node.inputs, ...node.outputs]);
    return {
      node,
      operator: operators.get(node.op) as OnnxOperator,
      dead: [...ending].filter((name) => made.has(name) && !kept.has(name) && last.get(name) === i),
      live: isLive,
    };
  });
}

/**
 * Reads an ONNX file as a module.
 * @throws when the file is no ONNX model, or uses an operator that is not supported: it and its node are named
 */
export function importOnnx(path: string, options: ImportOptions = {}): OnnxModule {
  const graph = toGraph(path, readModel(path), (op) => operators.get(op), options.between);
  return new OnnxModule(path, graph, options);
}
