import { F, nn, scope, type Tensor } from "@omni-id/torch";
import { repeat } from "../repeat.ts";

export interface AutoencoderOptions {
  /** Channels of a picture. */
  pictureChannels?: number;
  /** Channels of the first level. */
  channels: number;
  /** Channels of each level over those of the first; each level but the last halves the picture. */
  multipliers: readonly number[];
  /** Residual blocks of an encoder level; a decoder level has one more. */
  resBlocks: number;
  latentChannels: number;
  /** Groups of the GroupNorms. */
  groups?: number;
  /** A 1×1 convolution after the encoder, and one before the decoder (FLUX.2). */
  quantConvolutions?: boolean;
  /** Channels of the decoder's last level, where it is narrower than the encoder; `channels` when absent. */
  decoderChannels?: number;
}

/** What the layers below need to know. */
export type Sizes = Required<Omit<AutoencoderOptions, "decoderChannels">>;

const conv = (inputs: number, out: number) => new nn.Conv2d({ in: inputs, out, kernel: 3, padding: 1 });
const pointwise = (channels: number) => new nn.Conv2d({ in: channels, out: channels, kernel: 1 });
const norm = (channels: number, groups: number) => new nn.GroupNorm({ groups, channels, eps: 1e-6 });

/** Two convolutions and a shortcut: `[B, in, H, W] → [B, out, H, W]`. */
export class ResnetBlock extends nn.Module {
  readonly norm1: nn.GroupNorm;
  readonly conv1: nn.Conv2d;
  readonly norm2: nn.GroupNorm;
  readonly conv2: nn.Conv2d;
  readonly nin_shortcut: nn.Conv2d | undefined;

  constructor({ in: inputs, out, groups }: { in: number; out: number; groups: number }) {
    super();
    this.norm1 = norm(inputs, groups);
    this.conv1 = conv(inputs, out);
    this.norm2 = norm(out, groups);
    this.conv2 = conv(out, out);
    if (inputs !== out) this.nin_shortcut = new nn.Conv2d({ in: inputs, out, kernel: 1 });
  }

  forward(x: Tensor): Tensor {
    return scope(() => {
      const first = this.conv1.forward(F.silu(this.norm1.forward(x)));
      const second = this.conv2.forward(F.silu(this.norm2.forward(first)));
      return (this.nin_shortcut ? this.nin_shortcut.forward(x) : x).add(second);
    });
  }
}

/** One head of attention over all places of the map. */
class AttentionBlock extends nn.Module {
  readonly norm: nn.GroupNorm;
  readonly q: nn.Conv2d;
  readonly k: nn.Conv2d;
  readonly v: nn.Conv2d;
  readonly proj_out: nn.Conv2d;

  constructor(channels: number, groups: number) {
    super();
    this.norm = norm(channels, groups);
    this.q = pointwise(channels);
    this.k = pointwise(channels);
    this.v = pointwise(channels);
    this.proj_out = pointwise(channels);
  }

  forward(x: Tensor): Tensor {
    return scope(() => {
      const normed = this.norm.forward(x);
      const tokens = (layer: nn.Conv2d) => layer.forward(normed).flatten(2).transpose(1, 2).unsqueeze(1);
      const answer = nn.attention(tokens(this.q), tokens(this.k), tokens(this.v));
      return x.add(this.proj_out.forward(answer.squeeze(1).transpose(1, 2).reshape(x.shape)));
    });
  }
}

class Middle extends nn.Module {
  readonly block_1: ResnetBlock;
  readonly attn_1: AttentionBlock;
  readonly block_2: ResnetBlock;

  constructor(channels: number, groups: number) {
    super();
    this.block_1 = new ResnetBlock({ in: channels, out: channels, groups });
    this.attn_1 = new AttentionBlock(channels, groups);
    this.block_2 = new ResnetBlock({ in: channels, out: channels, groups });
  }

  forward(x: Tensor): Tensor {
    return scope(() => this.block_2.forward(this.attn_1.forward(this.block_1.forward(x))));
  }
}

/** Halves a map; upstream pads the right and the bottom side only. */
class Downsample extends nn.Module {
  readonly conv: nn.Conv2d;

  constructor(channels: number) {
    super();
    this.conv = new nn.Conv2d({ in: channels, out: channels, kernel: 3, stride: 2 });
  }

  forward(x: Tensor): Tensor {
    return scope(() => this.conv.forward(F.pad(x, [0, 1, 0, 1])));
  }
}

/** Doubles a map: each place four times, then a convolution. */
class Upsample extends nn.Module {
  readonly conv: nn.Conv2d;

  constructor(channels: number) {
    super();
    this.conv = conv(channels, channels);
  }

  forward(x: Tensor): Tensor {
    return scope(() => this.conv.forward(F.interpolate(x, { scaleFactor: 2, mode: "nearest" })));
  }
}

/** Residual blocks of one resolution, and the step to the next. */
class Level extends nn.Module {
  readonly block: ResnetBlock[];
  readonly downsample: Downsample | undefined;
  readonly upsample: Upsample | undefined;

  constructor({ in: inputs, out, blocks, groups, then }: LevelOptions) {
    super();
    this.block = repeat(blocks, (i) => new ResnetBlock({ in: i === 0 ? inputs : out, out, groups }));
    if (then === "downsample") this.downsample = new Downsample(out);
    if (then === "upsample") this.upsample = new Upsample(out);
  }

  forward(x: Tensor): Tensor {
    return scope(() => {
      const y = this.block.reduce((map, block) => block.forward(map), x);
      return this.downsample?.forward(y) ?? this.upsample?.forward(y) ?? y;
    });
  }
}

interface LevelOptions {
  in: number;
  out: number;
  blocks: number;
  groups: number;
  then: "downsample" | "upsample" | undefined;
}

/** Pictures to mean and log variance of their latents: `[B, 3, H, W] → [B, 2z, H / f, W / f]`. */
export class PictureEncoder extends nn.Module {
  readonly conv_in: nn.Conv2d;
  readonly down: Level[];
  readonly mid: Middle;
  readonly norm_out: nn.GroupNorm;
  readonly conv_out: nn.Conv2d;
  readonly quant_conv: nn.Conv2d | undefined;

  constructor({ pictureChannels, channels, multipliers, resBlocks, latentChannels, groups, ...more }: Sizes) {
    super();
    const widths = [channels, ...multipliers.map((factor) => channels * factor)];
    const last = multipliers.length - 1;
    this.conv_in = conv(pictureChannels, channels);
    this.down = repeat(multipliers.length, (i) => {
      const then = i < last ? "downsample" : undefined;
      return new Level({ in: widths[i], out: widths[i + 1], blocks: resBlocks, groups, then });
    });
    this.mid = new Middle(widths[last + 1], groups);
    this.norm_out = norm(widths[last + 1], groups);
    this.conv_out = conv(widths[last + 1], 2 * latentChannels);
    if (more.quantConvolutions) this.quant_conv = pointwise(2 * latentChannels);
  }

  forward(pictures: Tensor): Tensor {
    return scope(() => {
      const map = this.down.reduce((x, level) => level.forward(x), this.conv_in.forward(pictures));
      const moments = this.conv_out.forward(F.silu(this.norm_out.forward(this.mid.forward(map))));
      return this.quant_conv?.forward(moments) ?? moments;
    });
  }
}

/** Latents to pictures: `[B, z, h, w] → [B, 3, f·h, f·w]`. */
export class PictureDecoder extends nn.Module {
  readonly post_quant_conv: nn.Conv2d | undefined;
  readonly conv_in: nn.Conv2d;
  readonly mid: Middle;
  /** Level 0 has the picture's size, and comes last. */
  readonly up: Level[];
  readonly norm_out: nn.GroupNorm;
  readonly conv_out: nn.Conv2d;

  constructor({ pictureChannels, channels, multipliers, resBlocks, latentChannels, groups, ...more }: Sizes) {
    super();
    if (more.quantConvolutions) this.post_quant_conv = pointwise(latentChannels);
    const widths = multipliers.map((factor) => channels * factor);
    const last = multipliers.length - 1;
    this.conv_in = conv(latentChannels, widths[last]);
    this.mid = new Middle(widths[last], groups);
    this.up = repeat(multipliers.length, (i) => {
      const then = i > 0 ? "upsample" : undefined;
      return new Level({ in: widths[Math.min(i + 1, last)], out: widths[i], blocks: resBlocks + 1, groups, then });
    });
    this.norm_out = norm(widths[0], groups);
    this.conv_out = conv(widths[0], pictureChannels);
  }

  forward(z: Tensor): Tensor {
    return scope(() => {
      const latents = this.post_quant_conv?.forward(z) ?? z;
      const map = this.up.reduceRight((x, level) => level.forward(x), this.mid.forward(this.conv_in.forward(latents)));
      return this.conv_out.forward(F.silu(this.norm_out.forward(map)));
    });
  }
}
