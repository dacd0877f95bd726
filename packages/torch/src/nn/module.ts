import { noGrad } from "../autograd.ts";
import type { DType } from "../dtype.ts";
import { scope } from "../scope.ts";
import { Tensor } from "../tensor.ts";
import { checkKeys } from "./state-dict.ts";

type Kind = "parameter" | "buffer";
const kinds = new WeakMap<Tensor, Kind>();

function mark(tensor: Tensor, kind: Kind): Tensor {
  const own = tensor.detach().keep();
  if (kind === "parameter") own.requiresGrad_();
  kinds.set(own, kind);
  return own;
}

/** A tensor to be trained. It leaves every scope: it lives as long as its module. */
export const parameter = (tensor: Tensor): Tensor => mark(tensor, "parameter");
/** A tensor that belongs to the module's state but is not trained. It leaves every scope. */
export const buffer = (tensor: Tensor): Tensor => mark(tensor, "buffer");

export interface LoadOptions {
  /** Every key must be there, and no other. */
  strict?: boolean;
  /**
   * Take the tensors themselves, with their dtype and device, instead of copying their values: weights that are
   * memory-mapped stay so. Optimisers made before keep the old tensors.
   */
  assign?: boolean;
}

/**
 * The base of all modules. Fields that hold a {@link parameter}, a {@link buffer}, a module, or an array of modules
 * make up its state; the path of fields is the key in the state dict, such as `blocks.0.norm1.weight`.
 */
export abstract class Module {
  training = true;

  /** Parameters and buffers with their keys, in the order of the fields. */
  *#tensors(prefix = ""): Generator<[string, Tensor]> {
    for (const [name, value] of this.#fields(prefix)) {
      if (value instanceof Tensor) yield [name, value];
      else yield* value.#tensors(`${name}.`);
    }
  }

  *#fields(prefix: string): Generator<[string, Tensor | Module]> {
    for (const [key, value] of Object.entries(this)) {
      const list: unknown[] = Array.isArray(value) ? value : [value];
      for (const [i, item] of list.entries()) {
        const name = Array.isArray(value) ? `${prefix}${key}.${i}` : `${prefix}${key}`;
        if (item instanceof Module || (item instanceof Tensor && kinds.has(item))) yield [name, item];
      }
    }
  }

  /** This module and all below it, with their paths; this one's path is "". */
  *namedModules(prefix = ""): Generator<[string, Module]> {
    yield [prefix, this];
    for (const [name, value] of this.#fields(prefix ? `${prefix}.` : "")) {
      if (value instanceof Module) yield* value.namedModules(name);
    }
  }

  /** What is trained, with its keys. */
  namedParameters(): [string, Tensor][] {
    return [...this.#tensors()].filter(([, tensor]) => kinds.get(tensor) === "parameter");
  }
  /** State that is not trained, with its keys. */
  namedBuffers(): [string, Tensor][] {
    return [...this.#tensors()].filter(([, tensor]) => kinds.get(tensor) === "buffer");
  }
  /** What is trained. */
  parameters(): Tensor[] {
    return this.namedParameters().map(([, tensor]) => tensor);
  }

  /** Every parameter and buffer by key. The tensors are the module's own, not copies. */
  stateDict(): Map<string, Tensor> {
    return new Map(this.#tensors());
  }

  /**
   * Copies values into the module's tensors, converting dtype and device to theirs.
   * @throws a list of missing, unexpected and mis-shaped keys; nothing is changed then
   */
  loadStateDict(state: ReadonlyMap<string, Tensor>, { strict = true, assign = false }: LoadOptions = {}): void {
    const own = this.stateDict();
    checkKeys(this.constructor.name, own, state, strict);
    if (assign) {
      this.#replace((tensor, key) => state.get(key) ?? tensor);
      return;
    }
    scope(() =>
      noGrad(() => {
        for (const [key, tensor] of own) {
          const value = state.get(key);
          if (value) tensor.copy_(value);
        }
      }),
    );
  }

  /** Converts floating-point state and moves it. Optimisers made before keep the old tensors: convert first. */
  to({ dtype, device }: { dtype?: DType; device?: string }): this {
    this.#replace((tensor) => {
      const floating = tensor.dtype.includes("float");
      return scope(() => noGrad(() => tensor.to({ dtype: floating ? dtype : undefined, device })));
    });
    return this;
  }

  /** Puts another tensor in the place of each parameter and buffer. */
  #replace(change: (tensor: Tensor, key: string) => Tensor): void {
    for (const [path, module] of this.namedModules()) {
      for (const [field, value] of Object.entries(module)) {
        if (!(value instanceof Tensor)) continue;
        const kind = kinds.get(value);
        if (!kind) continue;
        const changed = change(value, path ? `${path}.${field}` : field);
        if (changed === value) continue;
        const own = mark(changed, kind);
        own.requiresGrad_(value.requiresGrad);
        (module as unknown as Record<string, unknown>)[field] = own;
      }
    }
  }

  /** Sets `training` of this module and all below it. */
  train(on = true): this {
    for (const [, module] of this.namedModules()) module.training = on;
    return this;
  }
  /** The opposite of `train()`. */
  eval(): this {
    return this.train(false);
  }
  /** Frozen parameters (`false`) hold no gradients. */
  requiresGrad_(on = true): this {
    for (const tensor of this.parameters()) tensor.requiresGrad_(on);
    return this;
  }
  /** Forgets all gradients. */
  zeroGrad(): void {
    for (const tensor of this.parameters()) tensor.grad = null;
  }
}
