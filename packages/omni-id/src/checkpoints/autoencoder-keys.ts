import type { AutoencoderOptions } from "../backbones/autoencoder.ts";
import { type KeyRule, KeyTable } from "./key-table.ts";

/** Layers of a residual block; diffusers names the shortcut otherwise. */
const resnet = (ours: string, theirs: string, numbers?: KeyRule["numbers"]): KeyRule[] => [
  ...["norm1", "conv1", "norm2", "conv2"].map((layer) => ({
    ours: `${ours}.${layer}`,
    theirs: `${theirs}.${layer}`,
    numbers,
  })),
  { ours: `${ours}.nin_shortcut`, theirs: `${theirs}.conv_shortcut`, numbers },
];

const middle = (side: string): KeyRule[] => {
  const attention = `${side}.mid_block.attentions.0`;
  return [
    ...resnet(`${side}.mid.block_1`, `${side}.mid_block.resnets.0`),
    ...resnet(`${side}.mid.block_2`, `${side}.mid_block.resnets.1`),
    { ours: `${side}.mid.attn_1.norm`, theirs: `${attention}.group_norm` },
    ...["q", "k", "v"].map((x) => ({
      ours: `${side}.mid.attn_1.${x}`,
      theirs: `${attention}.to_${x}`,
      pointwise: true,
    })),
    { ours: `${side}.mid.attn_1.proj_out`, theirs: `${attention}.to_out.0`, pointwise: true },
  ];
};

/**
 * The FLUX autoencoder ↔ diffusers' AutoencoderKL, whose decoder counts its levels from the smallest. FLUX.2's has four
 * more layers, and statistics whose name is the same on both sides.
 */
export function autoencoderDiffusersKeys({ multipliers }: Pick<AutoencoderOptions, "multipliers">): KeyTable {
  const fromTheOtherEnd = ([level, ...rest]: readonly number[]) => [multipliers.length - 1 - level, ...rest];
  return new KeyTable([
    { ours: "bn", theirs: "bn" },
    { ours: "encoder.quant_conv", theirs: "quant_conv" },
    { ours: "decoder.post_quant_conv", theirs: "post_quant_conv" },
    ...["encoder", "decoder"].flatMap((side) => [
      { ours: `${side}.conv_in`, theirs: `${side}.conv_in` },
      { ours: `${side}.norm_out`, theirs: `${side}.conv_norm_out` },
      { ours: `${side}.conv_out`, theirs: `${side}.conv_out` },
      ...middle(side),
    ]),
    ...resnet("encoder.down.*.block.*", "encoder.down_blocks.*.resnets.*"),
    { ours: "encoder.down.*.downsample.conv", theirs: "encoder.down_blocks.*.downsamplers.0.conv" },
    ...resnet("decoder.up.*.block.*", "decoder.up_blocks.*.resnets.*", fromTheOtherEnd),
    {
      ours: "decoder.up.*.upsample.conv",
      theirs: "decoder.up_blocks.*.upsamplers.0.conv",
      numbers: fromTheOtherEnd,
    },
  ]);
}
