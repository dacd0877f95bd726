import { F, nn, noGrad, ones, scope, Tensor, zeros } from "@omni-id/torch";
import { IpAdapter } from "./adapters/ip-adapter.ts";
import { zeroed } from "./adapters/zero.ts";
import type { FluxOptions } from "./backbones/flux-options.ts";
import { imagePositions } from "./backbones/flux-positions.ts";
import type { Conditions, FlowBase } from "./flow-base.ts";

export interface FlowAdapterOptions {
  /** Shape of an identity, `[L, C]`. */
  identity: readonly [number, number];
  /** The frozen FLUX that it speaks to. */
  flux: Pick<FluxOptions, "width" | "heads" | "doubleBlocks" | "singleBlocks" | "axes">;
  /** Identity tokens also joined to the text tokens; the paper's form has none. */
  joined?: boolean;
  /** The decoupled attention in the single blocks too; the paper's form asks in double blocks only. */
  single?: boolean;
  /** Identity tokens also behind the picture's, as if they were a reference photo; the paper's form has none. */
  reference?: boolean;
  /** The identity also in the vector that modulates every block; the paper's form has none. */
  modulation?: boolean;
}

/** All of ℓ at once enters the modulation: without this factor a run diverges. */
const MODULATION_SCALE = 1 / 64;

/**
 * The adapter's side of decoder 2, flow matching (section 3.3, figure 6 right): what tells the frozen flow model
 * ({@link FlowBase}) of a person. In the paper's form that is the IP-Adapter alone; the nano preset adds two more ways
 * in, for its base is small and soon read out, and FLUX.2 may be given ℓ as it is given photos.
 * All of them start at zero, except the joined tokens, which start as the fixed prompt once more, and those of the
 * reference, which start as zeros that the picture sees.
 */
export class FlowAdapter extends IpAdapter {
  readonly modulation: nn.Linear | undefined;
  readonly joined: JoinedTokens | undefined;
  readonly reference: JoinedTokens | undefined;
  /** Mean and deviation of ℓ over training people, `[L, C]`: the adapter is told what differs between people. */
  readonly mean: Tensor;
  readonly deviation: Tensor;
  readonly #axes: readonly number[];

  constructor({ identity: [tokens, width], flux, joined, modulation, single, reference }: FlowAdapterOptions) {
    super({ context: width, flux, single });
    this.#axes = flux.axes;
    if (modulation) this.modulation = zeroed(new nn.Linear({ in: tokens * width, out: flux.width }));
    if (joined) this.joined = new JoinedTokens({ tokens, in: width, out: flux.width });
    if (reference) this.reference = new JoinedTokens({ tokens, in: width, out: flux.width });
    this.mean = scope(() => nn.buffer(zeros([tokens, width])));
    this.deviation = scope(() => nn.buffer(ones([tokens, width])));
  }

  /** Sets mean and deviation from identities of training people `[N, L, C]`. */
  standardise(identities: Tensor): void {
    scope(() =>
      noGrad(() => {
        const { shape } = this.mean;
        const each = identities.reshape([-1, ...shape]);
        this.mean.copy_(each.mean([0]));
        this.deviation.copy_(each.std([0]).add(0.05));
      }),
    );
  }

  /**
   * Identities `[B, L, C]`, or the tokens of several photos side by side `[B, M · L, C]`, to what FLUX is told.
   * @param scale how much of the decoupled attention is added; one for each picture, `[B]`, where some are told nobody (0)
   * @throws when pictures differ in it, and tokens stand beside the text or the picture, which cannot be left out of some
   */
  conditions(identities: Tensor, scale: number | Tensor = 1): Conditions {
    const { modulation, joined, reference } = this;
    if (scale instanceof Tensor && (joined || reference)) {
      throw new Error(
        "flow.adapter.told: tokens beside the text or the picture are told of every picture; add --set flow.adapter.joined=false flow.adapter.reference=false",
      );
    }
    return scope(() => {
      const photos = identities.shape[1] / this.mean.shape[0];
      const each = (statistic: Tensor) => (photos > 1 ? statistic.repeat([photos, 1]) : statistic);
      const tokens = identities.sub(each(this.mean)).div(each(this.deviation));
      const modulated = modulation?.forward(tokens.flatten(1).mul(MODULATION_SCALE));
      return {
        identity: { tokens, adapter: this, scale },
        modulation: scale instanceof Tensor ? modulated?.mul(scale.unsqueeze(1)) : modulated,
        extraText: joined?.forward(tokens),
        extraImage: reference && {
          tokens: reference.forward(tokens),
          // A column in a picture of its own.
          ids: imagePositions({ rows: tokens.shape[1], columns: 1, reference: 0 }, { axes: this.#axes }),
        },
      };
    });
  }
}

/** Identity tokens `[B, L, in]` as tokens beside the text or the picture, `[B, L, out]`. */
class JoinedTokens extends nn.Module {
  /** What the tokens are before anything is learnt, `[L, out]`. */
  readonly start: Tensor;
  readonly fc1: nn.Linear;
  readonly fc2: nn.Linear;

  constructor({ tokens, in: inputs, out }: { tokens: number; in: number; out: number }) {
    super();
    this.start = scope(() => nn.parameter(zeros([tokens, out])));
    this.fc1 = new nn.Linear({ in: inputs, out: 2 * out });
    this.fc2 = zeroed(new nn.Linear({ in: 2 * out, out }));
  }

  /** Starts as tokens that the base knows, `[T, out]`, over and over. */
  startFrom(text: Tensor): void {
    scope(() =>
      noGrad(() => {
        const [tokens] = this.start.shape;
        const times = Math.ceil(tokens / text.shape[0]);
        this.start.copy_(text.repeat([times, 1]).narrow(0, 0, tokens));
      }),
    );
  }

  forward(tokens: Tensor): Tensor {
    return scope(() => this.fc2.forward(F.gelu(this.fc1.forward(tokens))).add(this.start));
  }
}
