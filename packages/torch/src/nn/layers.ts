import { ones, randn, zeros } from "../factories.ts";
import * as F from "../functional.ts";
import type { Generator } from "../generator.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { uniformByFanIn } from "./init.ts";
import { buffer, Module, parameter } from "./module.ts";

interface Init {
  /** Where initial weights are drawn from; the default generator when left out. */
  generator?: Generator;
}

/** x Wᵀ + b: `[…, in] → […, out]`. */
export class Linear extends Module {
  readonly weight: Tensor;
  /** Absent with `bias: false`. */
  readonly bias: Tensor | null;

  constructor({ in: inputs, out, bias = true, generator }: { in: number; out: number; bias?: boolean } & Init) {
    super();
    this.weight = scope(() => parameter(uniformByFanIn([out, inputs], inputs, generator)));
    this.bias = bias ? scope(() => parameter(uniformByFanIn([out], inputs, generator))) : null;
  }

  forward(x: Tensor): Tensor {
    return F.linear(x, this.weight, this.bias);
  }
}

/** (x − mean) / √(var + eps) over the last dimension, then affine: `[…, size] → […, size]`. */
export class LayerNorm extends Module {
  readonly size: number;
  readonly eps: number;
  readonly weight: Tensor;
  readonly bias: Tensor;

  constructor({ size, eps = 1e-5 }: { size: number; eps?: number }) {
    super();
    this.size = size;
    this.eps = eps;
    this.weight = scope(() => parameter(ones([size])));
    this.bias = scope(() => parameter(zeros([size])));
  }

  forward(x: Tensor): Tensor {
    return F.fusedLayerNorm(x, this.weight, this.bias, { eps: this.eps });
  }
}

/** x / √(mean(x²) + eps) · weight over the last dimension. */
export class RMSNorm extends Module {
  readonly size: number;
  readonly eps: number;
  readonly weight: Tensor;

  constructor({ size, eps = 1e-6 }: { size: number; eps?: number }) {
    super();
    this.size = size;
    this.eps = eps;
    this.weight = scope(() => parameter(ones([size])));
  }

  forward(x: Tensor): Tensor {
    return scope(() => F.rmsNorm(x, [this.size], this.weight, { eps: this.eps }));
  }
}

/** Normalises groups of channels: `[B, channels, …]`. */
export class GroupNorm extends Module {
  readonly groups: number;
  readonly eps: number;
  readonly weight: Tensor;
  readonly bias: Tensor;

  constructor({ groups, channels, eps = 1e-5 }: { groups: number; channels: number; eps?: number }) {
    super();
    if (channels % groups !== 0)
      throw new RangeError(`GroupNorm: ${channels} channels do not split into ${groups} groups`);
    this.groups = groups;
    this.eps = eps;
    this.weight = scope(() => parameter(ones([channels])));
    this.bias = scope(() => parameter(zeros([channels])));
  }

  forward(x: Tensor): Tensor {
    // Under autocast x comes from a convolution in bfloat16; old LibTorch takes no other dtype than the weights'.
    return scope(() => F.groupNorm(x.to(this.weight.dtype), this.groups, this.weight, this.bias, { eps: this.eps }));
  }
}

export interface Conv2dOptions extends Init {
  in: number;
  out: number;
  kernel: number | readonly [number, number];
  stride?: number;
  padding?: number;
  dilation?: number;
  groups?: number;
  bias?: boolean;
}

/** `[B, in, H, W] → [B, out, H', W']`. */
export class Conv2d extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  readonly #settings: { stride: number; padding: number; dilation: number; groups: number };

  constructor(options: Conv2dOptions) {
    super();
    const {
      in: inputs,
      out,
      kernel,
      stride = 1,
      padding = 0,
      dilation = 1,
      groups = 1,
      bias = true,
      generator,
    } = options;
    const [height, width] = typeof kernel === "number" ? [kernel, kernel] : kernel;
    const fanIn = (inputs / groups) * height * width;
    this.#settings = { stride, padding, dilation, groups };
    this.weight = scope(() => parameter(uniformByFanIn([out, inputs / groups, height, width], fanIn, generator)));
    this.bias = bias ? scope(() => parameter(uniformByFanIn([out], fanIn, generator))) : null;
  }

  forward(x: Tensor): Tensor {
    return F.conv2d(x, this.weight, this.bias, this.#settings);
  }
}

/** Rows of a table by index: `[…] int64 → […, dim]`. */
export class Embedding extends Module {
  readonly weight: Tensor;

  constructor({ num, dim, generator }: { num: number; dim: number } & Init) {
    super();
    this.weight = scope(() => parameter(randn([num, dim], { generator })));
  }

  forward(indices: Tensor): Tensor {
    return F.embedding(indices, this.weight);
  }
}

/** Batch normalisation with running statistics: `[B, channels, …]`. */
export class BatchNorm extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly running_mean: Tensor;
  readonly running_var: Tensor;
  readonly eps: number;
  readonly momentum: number;

  constructor({ channels, eps = 1e-5, momentum = 0.1 }: { channels: number; eps?: number; momentum?: number }) {
    super();
    this.eps = eps;
    this.momentum = momentum;
    this.weight = scope(() => parameter(ones([channels])));
    this.bias = scope(() => parameter(zeros([channels])));
    this.running_mean = scope(() => buffer(zeros([channels])));
    this.running_var = scope(() => buffer(ones([channels])));
  }

  forward(x: Tensor): Tensor {
    const { weight, bias, running_mean: runningMean, running_var: runningVar, training, momentum, eps } = this;
    return F.batchNorm(x, { weight, bias, runningMean, runningVar, training, momentum, eps });
  }
}

/** x Φ(x), exactly or by the tanh formula. */
export class GELU extends Module {
  readonly approximate: "none" | "tanh";

  constructor({ approximate = "none" }: { approximate?: "none" | "tanh" } = {}) {
    super();
    this.approximate = approximate;
  }

  forward(x: Tensor): Tensor {
    return F.gelu(x, { approximate: this.approximate });
  }
}

/** x · sigmoid(x). */
export class SiLU extends Module {
  forward(x: Tensor): Tensor {
    return F.silu(x);
  }
}

/** A module of one tensor in, one tensor out. */
export interface Layer extends Module {
  forward(x: Tensor): Tensor;
}

/** Layers one after the other; their keys are their places: "0.weight", "2.weight". */
export class Sequential extends Module {
  readonly [place: number]: Layer;
  readonly length: number;

  constructor(layers: readonly Layer[]) {
    super();
    Object.assign(this, layers);
    this.length = layers.length;
  }

  forward(x: Tensor): Tensor {
    return scope(() => {
      let y = x;
      for (let i = 0; i < this.length; i++) y = this[i].forward(y);
      return y;
    });
  }
}
