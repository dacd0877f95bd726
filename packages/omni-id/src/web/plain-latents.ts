import type { Latents } from "../sampling-steps.ts";

const f = Math.fround;

/** Numbers of float32, added and scaled as LibTorch does it: what the solvers' steps need where there are no tensors. */
export class PlainLatents implements Latents<PlainLatents> {
  readonly values: Float32Array;

  constructor(values: Float32Array) {
    this.values = values;
  }

  add({ values }: PlainLatents): PlainLatents {
    return new PlainLatents(this.values.map((value, i) => value + values[i]));
  }

  sub({ values }: PlainLatents): PlainLatents {
    return new PlainLatents(this.values.map((value, i) => value - values[i]));
  }

  mul(by: number): PlainLatents {
    const factor = f(by);
    return new PlainLatents(this.values.map((value) => value * factor));
  }

  /** From here to `end`, reckoned from the end that is nearer, as `aten::lerp` does. */
  lerp({ values: end }: PlainLatents, weight: number): PlainLatents {
    const share = f(weight);
    if (Math.abs(share) < 0.5) {
      return new PlainLatents(this.values.map((value, i) => value + f(share * f(end[i] - value))));
    }
    const rest = f(1 - share);
    return new PlainLatents(this.values.map((value, i) => end[i] - f(f(end[i] - value) * rest)));
  }
}
