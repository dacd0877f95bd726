import { wrap } from "./dispatch.ts";
import { type GeneratorHandle, type NativeGenerator, native } from "./native.ts";
import type { Tensor } from "./tensor.ts";

/** A seeded stream of random numbers whose state can be saved: the same seed gives the same numbers as PyTorch's. */
export class Generator implements GeneratorHandle {
  /** @internal */
  readonly native: NativeGenerator;
  /** Where its numbers are made. */
  readonly device: string;

  constructor(seed: number | bigint, device = "cpu") {
    this.device = device;
    this.native = native.newGenerator(seed, device);
  }

  /** Starts the stream of a seed. */
  manualSeed(seed: number | bigint): this {
    native.seedGenerator(this.native, seed);
    return this;
  }

  /** The whole state, a uint8 tensor; `setState` goes on from exactly there. */
  getState(): Tensor {
    return wrap(native.generatorState(this.native));
  }

  /** Goes on where `getState` was taken. */
  setState(state: Tensor): this {
    native.setGeneratorState(this.native, state.handle);
    return this;
  }
}

/** Seeds the generators used when none is given, on every device. */
export function manualSeed(seed: number | bigint): void {
  native.manualSeed(seed);
}
