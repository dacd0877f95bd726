import { type DType, isFloatingPoint, type nn, noGrad, onDevice, scope, type Tensor } from "@omni-id/torch";
import type { Checkpoint } from "./checkpoint.ts";
import { type KeyTable, SAME_KEYS } from "./key-table.ts";

export interface LoadModelOptions {
  /** Where the weights go, "cpu" or "cuda"; on the CPU they stay memory-mapped. */
  device?: string;
  /**
   * The file's own when absent: bfloat16 stays bfloat16. Where a file has several, that of most weights; 8-bit floats
   * become bfloat16.
   */
  dtype?: DType;
}

export interface LoadingOptions extends LoadModelOptions {
  /** The file's names; ours when absent. */
  table?: KeyTable;
  /** Tensors of this network that the model leaves out. */
  ignore?: (name: string) => boolean;
}

/**
 * A model with a file's weights, frozen, tensor by tensor: beside the weights themselves no more than one of them is
 * in memory, and on the CPU, where the file has our layout, none is copied.
 * @param make builds the model; it is called on the meta device, where weights take no memory
 * @throws one line for missing, unknown or mis-shaped tensors, and for values that are not finite
 */
export function loadModel<T extends nn.Module>(
  checkpoint: Checkpoint,
  make: () => T,
  { device = "cpu", dtype, ...reading }: LoadingOptions = {},
): T {
  const model = onDevice("meta", make).requiresGrad_(false).eval();
  requireFit(checkpoint, misfits(checkpoint, model, reading));
  const own = model.stateDict();
  const { table = SAME_KEYS } = reading;
  const common = dtype ?? checkpoint.commonDType([...own.keys()].flatMap((key) => table.place(key).keys));
  const state = new Map<string, Tensor>();
  for (const [key, { shape }] of own) {
    const tensor = scope(() =>
      noGrad(() => {
        const { keys, toOurs } = table.place(key);
        const parts = keys.map((theirs) => inDType(checkpoint.get(theirs, common), common));
        const joined = toOurs(parts);
        const shaped = joined.shape.join() === shape.join() ? joined : joined.reshape(shape);
        const placed = device === "cpu" ? shaped : shaped.to(device);
        if (isFloatingPoint(placed.dtype) && !allFinite(placed)) {
          throw checkpoint.error(
            `"${keys[0]}" holds values that are not finite (NaN or infinity); the file is damaged: fetch it again`,
          );
        }
        return placed;
      }),
    );
    state.set(key, tensor);
  }
  model.loadStateDict(state, { assign: true });
  // The model has handles of its own on the same memory.
  for (const tensor of [...own.values(), ...state.values()]) tensor.dispose();
  return model;
}

function inDType(tensor: Tensor, dtype: DType | undefined): Tensor {
  return dtype && isFloatingPoint(tensor.dtype) ? tensor.to(dtype) : tensor;
}

/** Releases a model's weights: after T5 has read the prompt, its 9.5 GB make room for FLUX. */
export function unload(model: nn.Module): void {
  for (const tensor of model.stateDict().values()) tensor.dispose();
}

/** What in a file does not fit a model; all in the file's names. */
export interface Misfits {
  /** Tensors that the model wants. */
  wanted: number;
  missing: string[];
  unknown: string[];
  /** "name is [2, 3], expected [3, 3]" */
  misshaped: string[];
}

/** Compares a file's header with a model, which may be one of the meta device. */
export function misfits(
  checkpoint: Checkpoint,
  model: nn.Module,
  { table = SAME_KEYS, ignore = () => false }: Pick<LoadingOptions, "table" | "ignore"> = {},
): Misfits {
  const shapes = scope(() => new Map([...table.toTheirs(model.stateDict())].map(([key, { shape }]) => [key, shape])));
  const keys = [...shapes.keys()];
  return {
    wanted: shapes.size,
    missing: keys.filter((key) => !checkpoint.has(key)),
    unknown: checkpoint.keys().filter((key) => !shapes.has(key) && !ignore(key) && !checkpoint.isCompanion(key)),
    misshaped: [...shapes].flatMap(([key, shape]) => {
      if (!checkpoint.has(key) || wide(checkpoint.shape(key)) === wide(shape)) return [];
      return [`"${key}" is [${checkpoint.shape(key).join(", ")}], expected [${shape.join(", ")}]`];
    }),
  };
}

/** A shape without its ones: a 1×1 convolution and a linear layer are the same numbers. */
const wide = (shape: readonly number[]): string => shape.filter((size) => size !== 1).join();

function requireFit(checkpoint: Checkpoint, { wanted, missing, unknown, misshaped }: Misfits): void {
  const which = "`omni-id models` says which is wanted";
  if (missing.length > 0) {
    throw checkpoint.error(
      `${missing.length} of ${wanted} tensors are missing, the first "${missing[0]}"; the file is incomplete or of another model: ${which}`,
    );
  }
  if (misshaped.length > 0) {
    throw checkpoint.error(`${misshaped[0]}; it is a checkpoint of another model size: ${which}`);
  }
  if (unknown.length > 0) {
    throw checkpoint.error(
      `${unknown.length} tensors have no place in this model, the first "${unknown[0]}"; it is a checkpoint of another model: ${which}`,
    );
  }
}

/** A sum over NaN or infinity is one of these, and takes no memory of the tensor's size; float16 could overflow. */
function allFinite(tensor: Tensor): boolean {
  return Number.isFinite((tensor.dtype === "float16" ? tensor.float() : tensor).sum().item());
}
