import { z } from "zod";
import { Qwen3 } from "../backbones/qwen3.ts";
import type { GoldenFile } from "./golden-file.ts";
import { type Output, size } from "./output.ts";

const config = z.object({
  vocab_size: size,
  hidden_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  num_key_value_heads: size,
  head_dim: size,
  intermediate_size: size,
  rms_norm_eps: z.number().positive().default(1e-6),
  rope_parameters: z.object({ rope_theta: z.number().positive() }).optional(),
  rope_theta: z.number().positive().optional(),
  output_layers: z.array(size).min(1),
});

/** Qwen3 as FLUX.2's text encoder. */
export function* qwen3Outputs(file: GoldenFile): Generator<Output> {
  const sizes = file.config(config);
  const qwen = new Qwen3(
    {
      vocabulary: sizes.vocab_size,
      width: sizes.hidden_size,
      layers: sizes.num_hidden_layers,
      heads: sizes.num_attention_heads,
      keyHeads: sizes.num_key_value_heads,
      headWidth: sizes.head_dim,
      mlp: sizes.intermediate_size,
      theta: sizes.rope_parameters?.rope_theta ?? sizes.rope_theta,
      eps: sizes.rms_norm_eps,
      outputs: sizes.output_layers,
    },
    { whole: true },
  );
  qwen.loadStateDict(file.part("weights.model."));
  const [ids, mask] = [file.get("io.input_ids"), file.get("io.attention_mask")];
  yield { key: "io.embeds", value: () => qwen.forward(ids, mask) };
  const states = new Map(qwen.states(ids, mask));
  for (const [layers, state] of states) yield { key: `io.hidden_states.${layers}`, value: () => state };
  const last = states.get(sizes.num_hidden_layers);
  if (last && qwen.norm) {
    const { norm } = qwen;
    yield { key: "io.last_hidden_state", value: () => norm.forward(last) };
  }
  qwen.to({ dtype: "bfloat16" });
  yield { key: "io.embeds", value: () => qwen.forward(ids, mask), told: "bfloat16" };
}
