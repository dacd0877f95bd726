import { noGrad } from "../../autograd.ts";
import type { Module } from "../../nn/module.ts";
import { scope } from "../../scope.ts";
import { Tensor } from "../../tensor.ts";
import { record } from "./recording.ts";
import { type FreeSize, sizeOf } from "./sizes.ts";
import { translate } from "./translate.ts";
import { OnnxExport } from "./write.ts";

export { OnnxExport, type SaveOptions, type SignatureValue, type WeightOptions } from "./write.ts";

/** Inputs by name. */
export type ExportInputs = Readonly<Record<string, Tensor>>;

export interface ExportOptions {
  /** Whose weights keep their names of the state dict. */
  module?: Module;
  /**
   * The same inputs at other sizes. A size that differs from the example's may be any in the graph; choose sizes that
   * have nothing to do with each other, such as 2 and 3 photos of 5 and 7 people, so that each tells where it is used.
   */
  second?: ExportInputs;
}

/**
 * What a function does with tensors, as an ONNX graph (operator set 17): a real run is recorded at the dispatcher, and
 * each operator written by its rule. Weights are stored under their names; what changes a tensor in place gives a new
 * value.
 *
 * @param fn inputs by name → one tensor ("output"), or several by name; it runs twice where `second` is given
 * @example exportOnnx(({ x }) => model.forward(x), { x: randn([2, 3]) }, { module: model }).save("model.onnx")
 * @throws for an operator without a rule, with the line that called it; for a value that depends on the inputs and is read
 * in JavaScript; for two runs that differ in more than sizes
 */
export function exportOnnx(
  fn: (inputs: Record<string, Tensor>) => Tensor | Readonly<Record<string, Tensor>>,
  example: ExportInputs,
  { module, second = example }: ExportOptions = {},
): OnnxExport {
  const weights = module?.stateDict() ?? new Map<string, Tensor>();
  for (const name of Object.keys(example)) {
    if (weights.has(name))
      throw new Error(`exportOnnx: the input "${name}" has the name of a weight; call it otherwise`);
  }
  const symbols = symbolsOf(example, second);
  const named = (inputs: Record<string, Tensor>) => {
    const result = fn(inputs);
    return result instanceof Tensor ? { output: result } : result;
  };
  return scope(() =>
    noGrad(() => {
      const recordings = [example, second].map((inputs) => record(named, inputs, weights));
      const { builder, outputs } = translate(recordings[0], recordings[1], symbols);
      const described = Object.entries(example).map(([name, { shape, dtype }]) => ({
        name,
        dtype,
        shape: shape.map((size, axis) => sizeOf(size, second[name].shape[axis])),
      }));
      return new OnnxExport({ builder, outputs, inputs: described, symbols, statistics: buffersOf(module) });
    }),
  );
}

/** Names in the state dict that are no parameters. */
function buffersOf(module: Module | undefined): Set<string> {
  const names = new Set(module?.stateDict().keys());
  for (const [name] of module?.namedParameters() ?? []) names.delete(name);
  return names;
}

/** Sizes that differ between the examples; those that differ alike are one. */
function symbolsOf(example: ExportInputs, second: ExportInputs): FreeSize[] {
  const found = new Map<string, FreeSize>();
  for (const [input, { shape, dtype }] of Object.entries(example)) {
    const other = second[input];
    if (!other || other.shape.length !== shape.length || other.dtype !== dtype) {
      throw new Error(
        `exportOnnx: the second example must have "${input}" too, ${dtype} of ${shape.length} dimensions`,
      );
    }
    for (const [axis, first] of shape.entries()) {
      const key = `${first} ${other.shape[axis]}`;
      if (first === other.shape[axis] || found.has(key)) continue;
      found.set(key, { input, axis, first, second: other.shape[axis], name: `${input}_${axis}` });
    }
  }
  return [...found.values()];
}
