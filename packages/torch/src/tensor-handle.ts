import { type Handle, native } from "./native.ts";
import { exceedsLimit, unscopedLimit } from "./unscoped.ts";

/** A tensor nobody can reach any more is released when V8 collects its object. */
const collected = new FinalizationRegistry<Handle>((handle) => native.release(handle));

let openScopes = 0;

/**
 * The lifetime half of a tensor. LibTorch's memory is invisible to V8, so a tensor is released by the scope it was
 * made in, by `dispose()`, or, when no scope owns it, by garbage collection.
 */
export class TensorHandle {
  /** @internal The addon's number for this tensor; 0 after `dispose()`. */
  handle: Handle;
  private watched = false;

  /** @internal */
  constructor(handle: Handle) {
    this.handle = handle;
    if (openScopes === 0) this.watch(false);
  }

  /** @internal Hands the tensor to the garbage collector: no scope owns it. `kept`: because its user said so. */
  watch(kept: boolean): void {
    if (this.watched && !kept) return;
    const exceeded = native.watch(this.handle, this, kept, unscopedLimit.tensors, unscopedLimit.bytes);
    if (!this.watched) collected.register(this, this.handle, this);
    this.watched = true;
    if (exceeded) exceedsLimit();
  }

  /** @internal The shape may have changed in place. */
  forgetShape(): void {}

  /** Takes the tensor out of every scope: it lives until `dispose()` or until nothing refers to it any more. */
  keep(): this {
    native.pin(this.handle);
    this.watch(true);
    return this;
  }

  /** Releases the tensor now. Using it afterwards is an error; disposing twice is not. */
  dispose(): void {
    native.release(this.handle);
    this.handle = 0;
    if (this.watched) collected.unregister(this);
    this.watched = false;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** @internal */
export function enterScope(): void {
  native.scopeBegin();
  openScopes++;
}

/** @internal Releases what was made since the matching `enterScope`, except `returned`. */
export function leaveScope(returned: Iterable<TensorHandle>): void {
  const tensors = [...returned];
  openScopes--;
  native.scopeEnd(tensors.map((tensor) => tensor.handle));
  if (openScopes === 0) for (const tensor of tensors) tensor.watch(false);
}

/** How many tensors the addon holds on this thread: a number that grows from step to step is a leak. */
export function liveTensors(): number {
  return native.liveTensors();
}
