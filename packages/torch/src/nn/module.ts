import { noGrad } from "../autograd.ts";
import { type DType, isFloatingPoint } from "../dtype.ts";
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

const isPart = (value: unknown): value is Tensor | Module =>
  value instanceof Module || (value instanceof Tensor && kinds.has(value));

/** Where a module holds a part: a field, or a place in a list. */
interface Place {
  readonly name: string;
  readonly part: Tensor | Module;
  put(tensor: Tensor): void;
}

/**
 * The base of all modules. Fields that hold a {@link parameter}, a {@link buffer}, a module, or an array of such make up
 * its state; the path of fields is the key in the state dict, such as `blocks.0.norm1.weight`. A tensor may stand in
 * several places (tied weights): it is one parameter with several keys. A field that refers to a module above is none
 * of the state.
 */
export abstract class Module {
  training = true;

  *#places(prefix: string): Generator<Place> {
    for (const [key, value] of Object.entries(this)) {
      const put = (tensor: Tensor) => {
        (this as unknown as Record<string, unknown>)[key] = tensor;
      };
      if (isPart(value)) yield { name: prefix + key, part: value, put };
      if (!Array.isArray(value)) continue;
      for (const [i, item] of (value as unknown[]).entries()) {
        if (!isPart(item)) continue;
        const putItem = (tensor: Tensor) => {
          value[i] = tensor;
        };
        yield { name: `${prefix}${key}.${i}`, part: item, put: putItem };
      }
    }
  }

  /** Every place with a tensor, in the order of the fields. `above`: the modules that this one is a part of. */
  *#tensorPlaces(prefix = "", above: readonly Module[] = []): Generator<Place & { part: Tensor }> {
    const line = [...above, this];
    for (const { name, part, put } of this.#places(prefix)) {
      if (part instanceof Tensor) yield { name, part, put };
      else if (!line.includes(part)) yield* part.#tensorPlaces(`${name}.`, line);
    }
  }

  /** This module and all below it, with their paths; this one's path is "". */
  *namedModules(prefix = ""): Generator<[string, Module]> {
    yield* this.#modules(prefix, []);
  }
  *#modules(path: string, above: readonly Module[]): Generator<[string, Module]> {
    yield [path, this];
    const line = [...above, this];
    for (const { name, part } of this.#places(path ? `${path}.` : "")) {
      if (part instanceof Module && !line.includes(part)) yield* part.#modules(name, line);
    }
  }

  /** Each tensor of a kind once, by the first of its keys. */
  #named(kind: Kind): [string, Tensor][] {
    const names = new Map<Tensor, string>();
    for (const { name, part } of this.#tensorPlaces()) {
      if (kinds.get(part) === kind && !names.has(part)) names.set(part, name);
    }
    return [...names].map(([tensor, name]) => [name, tensor]);
  }

  /** What is trained, with its keys; a tied parameter has the first of its keys. */
  namedParameters(): [string, Tensor][] {
    return this.#named("parameter");
  }
  /** State that is not trained, with its keys. */
  namedBuffers(): [string, Tensor][] {
    return this.#named("buffer");
  }
  /** What is trained. */
  parameters(): Tensor[] {
    return this.namedParameters().map(([, tensor]) => tensor);
  }

  /** Every parameter and buffer by key, a tied one by each of its keys. The tensors are the module's own, not copies. */
  stateDict(): Map<string, Tensor> {
    return new Map([...this.#tensorPlaces()].map(({ name, part }) => [name, part]));
  }

  /**
   * Copies values into the module's tensors, converting dtype and device to theirs. Of a tied tensor one key is enough.
   * @throws a list of missing, unexpected and mis-shaped keys; nothing is changed then
   */
  loadStateDict(state: ReadonlyMap<string, Tensor>, { strict = true, assign = false }: LoadOptions = {}): void {
    const own = this.stateDict();
    checkKeys(this.constructor.name, own, state, strict);
    if (assign) {
      const given = new Map<Tensor, Tensor>();
      for (const [key, tensor] of own) {
        const value = state.get(key);
        if (value && !given.has(tensor)) given.set(tensor, value);
      }
      this.#replace((tensor) => given.get(tensor) ?? tensor);
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

  /** Converts floating-point state and moves it; ties hold. Optimisers made before keep the old tensors: convert first. */
  to({ dtype, device }: { dtype?: DType; device?: string }): this {
    this.#replace((tensor) => {
      const floating = isFloatingPoint(tensor.dtype);
      return scope(() => noGrad(() => tensor.to({ dtype: floating ? dtype : undefined, device })));
    });
    return this;
  }

  /** Puts another tensor in the place of each parameter and buffer, in all its places. */
  #replace(change: (tensor: Tensor) => Tensor): void {
    const replaced = new Map<Tensor, Tensor>();
    for (const { part: tensor, put } of [...this.#tensorPlaces()]) {
      let own = replaced.get(tensor);
      if (!own) {
        const changed = change(tensor);
        own = changed === tensor ? tensor : mark(changed, kinds.get(tensor) as Kind);
        if (own !== tensor) own.requiresGrad_(tensor.requiresGrad);
        replaced.set(tensor, own);
      }
      if (own !== tensor) put(own);
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
