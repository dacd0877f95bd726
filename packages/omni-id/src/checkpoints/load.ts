import { type DType, isFloatingPoint, type nn, noGrad, onDevice, scope, type Tensor } from "@omni-id/torch";
import type { Checkpoint } from "./checkpoint.ts";
import { type KeyTable, SAME_KEYS } from "./key-table.ts";

export interface LoadModelOptions {
  /** Where the weights go, "cpu" or "cuda"; on the CPU they stay memory-mapped. */
  device?: string;
  /** The file's own when absent: bfloat16 stays bfloat16. */
  dtype?: DType;
}

export interface LoadingOptions extends LoadModelOptions {
  /** The file's names; ours when absent. */
  table?: KeyTable;
  /** Tensors of the file that are no part of this model. */
  ignore?: (key: string) => boolean;
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
  { table = SAME_KEYS, ignore = () => false, device = "cpu", dtype }: LoadingOptions = {},
): T {
  const model = onDevice("meta", make).requiresGrad_(false).eval();
  const own = model.stateDict();
  checkKeys(checkpoint, [...own.keys()], table, ignore);
  const state = new Map<string, Tensor>();
  for (const [key, { shape }] of own) {
    const tensor = scope(() =>
      noGrad(() => {
        const { keys, toOurs } = table.place(key);
        const joined = toOurs(keys.map((theirs) => checkpoint.get(theirs)));
        const wanted = isFloatingPoint(joined.dtype) ? dtype : undefined;
        const placed = device === "cpu" && !wanted ? joined : joined.to({ device, dtype: wanted });
        checkTensor(checkpoint, keys[0], placed, shape);
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

/** Releases a model's weights: after T5 has read the prompt, its 9.5 GB make room for FLUX. */
export function unload(model: nn.Module): void {
  for (const tensor of model.stateDict().values()) tensor.dispose();
}

function checkKeys(
  checkpoint: Checkpoint,
  own: readonly string[],
  table: KeyTable,
  ignore: (key: string) => boolean,
): void {
  const wanted = new Set(own.flatMap((key) => table.place(key).keys));
  const missing = [...wanted].filter((key) => !checkpoint.has(key));
  if (missing.length > 0) {
    throw checkpoint.error(
      `${missing.length} of ${wanted.size} tensors are missing, the first "${missing[0]}"; the file is incomplete or of another model: fetch it again (\`omni-id models\` says which)`,
    );
  }
  const unknown = checkpoint.keys().filter((key) => !wanted.has(key) && !ignore(key));
  if (unknown.length > 0) {
    throw checkpoint.error(
      `${unknown.length} tensors have no place in this model, the first "${unknown[0]}"; it is a checkpoint of another model: \`omni-id models\` says which is wanted`,
    );
  }
}

function checkTensor(checkpoint: Checkpoint, key: string, tensor: Tensor, shape: readonly number[]): void {
  if (tensor.shape.join() !== shape.join()) {
    throw checkpoint.error(
      `"${key}" is [${tensor.shape.join(", ")}], expected [${shape.join(", ")}]; it is a checkpoint of another model size`,
    );
  }
  if (isFloatingPoint(tensor.dtype) && !isFinite(tensor)) {
    throw checkpoint.error(
      `"${key}" holds values that are not finite (NaN or infinity); the file is damaged: fetch it again`,
    );
  }
}

/** A sum over NaN or infinity is one of these, and takes no memory of the tensor's size; float16 could overflow. */
function isFinite(tensor: Tensor): boolean {
  return Number.isFinite((tensor.dtype === "float16" ? tensor.float() : tensor).sum().item());
}
