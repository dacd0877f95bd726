import { cat, scope, type Tensor } from "@omni-id/torch";
import { repeat } from "../repeat.ts";
import { addToFirst, LastLayer, Modulation, SingleStreamBlock } from "./flux-blocks.ts";
import { type FluxOptions, formOf } from "./flux-options.ts";
import { blockOptions, type FluxInput, FluxTrunk, runBlock } from "./flux-trunk.ts";

/**
 * The FLUX transformer by Black Forest Labs' keys, of the first generation (flux/model.py) and of the second
 * (flux2/model.py): the velocity ε − x of rectified flow from noisy image tokens, text and time. Image and text meet
 * in double blocks, then run as one sequence through single blocks. What the second generation does differently
 * stands in `FORMS`; `FLUX2_KLEIN` is one of it.
 */
export class Flux extends FluxTrunk {
  readonly single_blocks: SingleStreamBlock[];
  readonly single_stream_modulation: Modulation | undefined;
  readonly final_layer: LastLayer;

  constructor(options: FluxOptions) {
    super(options);
    const { width, outChannels = options.inChannels } = options;
    const { bias, modulation } = formOf(options);
    this.single_blocks = repeat(options.singleBlocks, () => new SingleStreamBlock(blockOptions(options)));
    if (modulation === "model") this.single_stream_modulation = new Modulation({ width, layers: 1, bias });
    this.final_layer = new LastLayer({ width, out: outChannels, bias });
  }

  /** The velocity at every token of `img`, not of what stands behind it: `[B, N, outChannels]`. */
  forward(input: FluxInput): Tensor {
    const { identity, residuals = [], trace } = input;
    identity?.adapter.check(identity.tokens, this.options);
    return scope(() => {
      const { vec, rope, condition, ...start } = this.embed(input, input);
      let { img, txt } = start;
      for (const i of this.double_blocks.keys()) {
        [img, txt] = this.doubleBlock(i, { img, txt, condition, rope }, input);
        if (residuals.length > 0) img = addToFirst(img, residuals[i % residuals.length]);
        trace?.(`double.${i}.img`, img);
        trace?.(`double.${i}.txt`, txt);
      }

      const single = this.single_stream_modulation?.forward(vec) ?? vec;
      let x = cat([txt, img], 1);
      for (const i of this.single_blocks.keys()) {
        x = this.#singleBlock(i, [x, single, rope], txt.shape[1], input);
        trace?.(`single.${i}`, x);
      }
      return this.final_layer.forward(x.narrow(1, txt.shape[1], input.img.shape[1]), vec).to(vec.dtype);
    });
  }

  /** Single block `i` on (tokens, condition, rotations); the first `text` tokens are text. */
  #singleBlock(i: number, inputs: readonly Tensor[], text: number, input: FluxInput): Tensor {
    const { identity } = input;
    const [x] = runBlock(
      ([tokens, condition, rope], asked) => [
        this.single_blocks[i].forward(tokens, condition, rope, asked && { ...asked, text }),
      ],
      inputs,
      { ...input, identity: identity?.adapter.single ? identity : undefined, block: this.double_blocks.length + i },
    );
    return x;
  }
}
