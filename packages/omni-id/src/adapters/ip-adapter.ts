import { nn, scope, Tensor } from "@omni-id/torch";
import type { FluxOptions } from "../backbones/flux-options.ts";
import type { IdentityAdapter } from "../backbones/flux-trunk.ts";
import { repeat } from "../repeat.ts";
import { zeroed } from "./zero.ts";

export interface IpAdapterOptions {
  /** Channels C of an identity token. */
  context: number;
  /** The FLUX that it is made for. */
  flux: Pick<FluxOptions, "width" | "heads" | "doubleBlocks" | "singleBlocks">;
  /** The single blocks ask the identity too; the paper's form, and XLabs', asks in the double blocks. */
  single?: boolean;
}

/** Keys and values of the identity for one block. */
interface Projections {
  k: nn.Linear;
  v: nn.Linear;
}

const fresh = (context: number, width: number): Projections => ({
  k: new nn.Linear({ in: context, out: width }),
  v: zeroed(new nn.Linear({ in: context, out: width })),
});

/** By XLabs' names. */
class DoubleProcessor extends nn.Module {
  readonly ip_adapter_double_stream_k_proj: nn.Linear;
  readonly ip_adapter_double_stream_v_proj: nn.Linear;

  constructor({ k, v }: Projections) {
    super();
    this.ip_adapter_double_stream_k_proj = k;
    this.ip_adapter_double_stream_v_proj = v;
  }

  get projections(): Projections {
    return { k: this.ip_adapter_double_stream_k_proj, v: this.ip_adapter_double_stream_v_proj };
  }
}

/** Ours: XLabs has none. */
class SingleProcessor extends nn.Module {
  readonly ip_adapter_single_stream_k_proj: nn.Linear;
  readonly ip_adapter_single_stream_v_proj: nn.Linear;

  constructor({ k, v }: Projections) {
    super();
    this.ip_adapter_single_stream_k_proj = k;
    this.ip_adapter_single_stream_v_proj = v;
  }

  get projections(): Projections {
    return { k: this.ip_adapter_single_stream_k_proj, v: this.ip_adapter_single_stream_v_proj };
  }
}

class AdapterBlock<P extends DoubleProcessor | SingleProcessor> extends nn.Module {
  readonly processor: P;

  constructor(processor: P) {
    super();
    this.processor = processor;
  }
}

/**
 * The IP-Adapter (section 3.3; layout of XLabs-AI/x-flux): in every double block the image's queries also ask the
 * identity ℓ, through keys and values of its own, and the answer is added to the image tokens.
 *
 * Values start at zero, so that the base model is untouched at first: whatever the identity, nothing is added, and
 * only the values have a gradient. Keys do not start at zero, so the values learn from answers that already differ
 * from token to token, and from the second step on the gradient reaches the encoder.
 */
export class IpAdapter extends nn.Module implements IdentityAdapter {
  readonly double_blocks: AdapterBlock<DoubleProcessor>[];
  readonly single_blocks: AdapterBlock<SingleProcessor>[];
  readonly #options: IpAdapterOptions;

  constructor(options: IpAdapterOptions) {
    super();
    const { context, flux, single = false } = options;
    this.#options = options;
    this.double_blocks = repeat(
      flux.doubleBlocks,
      () => new AdapterBlock(new DoubleProcessor(fresh(context, flux.width))),
    );
    this.single_blocks = repeat(
      single ? flux.singleBlocks : 0,
      () => new AdapterBlock(new SingleProcessor(fresh(context, flux.width))),
    );
  }

  get single(): boolean {
    return this.single_blocks.length > 0;
  }

  /** @throws when the identity or the model has another size than this adapter */
  check(tokens: Tensor, { width, heads, doubleBlocks, singleBlocks }: IpAdapterOptions["flux"]): void {
    const { context, flux } = this.#options;
    if (tokens.ndim !== 3 || tokens.shape[2] !== context) {
      throw new RangeError(
        `IP-Adapter: identity tokens are [${tokens.shape.join(", ")}], expected [B, L, ${context}]; take the adapter that was trained with this encoder`,
      );
    }
    const blocks = flux.doubleBlocks === doubleBlocks && (!this.single || flux.singleBlocks === singleBlocks);
    if (flux.width !== width || flux.heads !== heads || !blocks) {
      throw new RangeError(
        `IP-Adapter: made for ${flux.doubleBlocks} double blocks of width ${flux.width} with ${flux.heads} heads, this FLUX has ${doubleBlocks} of width ${width} with ${heads}; take the adapter of this model`,
      );
    }
  }

  /**
   * scale · attention(q, k(ℓ), v(ℓ)) of one block, the double ones first: queries `[B, N, H, D]` after their norm and before RoPE,
   * ℓ `[B, L, C]` → `[B, N, H·D]`.
   */
  attend(block: number, queries: Tensor, tokens: Tensor, scale: number | Tensor = 1): Tensor {
    return scope(() => {
      const { processor } = this.double_blocks[block] ?? this.single_blocks[block - this.double_blocks.length];
      const { projections } = processor;
      const identity = tokens.to(projections.k.weight.dtype);
      const [k, v] = [projections.k, projections.v].map((layer) =>
        layer.forward(identity).unflatten(-1, [queries.shape[2], -1]).transpose(1, 2),
      );
      const answer = nn.attention(queries.to(k.dtype).transpose(1, 2), k, v).transpose(1, 2).flatten(2);
      return answer.mul(scale instanceof Tensor ? scale.to(answer.dtype).view([-1, 1, 1]) : scale);
    });
  }
}
