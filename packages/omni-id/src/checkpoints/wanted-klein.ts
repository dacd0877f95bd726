import { FLUX2_AUTOENCODER, Flux2Autoencoder } from "../backbones/autoencoder.ts";
import { Flux } from "../backbones/flux.ts";
import { FLUX2_KLEIN } from "../backbones/flux-options.ts";
import { QWEN3_4B, Qwen3 } from "../backbones/qwen3.ts";
import { QWEN3_TOKENS } from "../text/chat-frame.ts";
import { readFlux2Autoencoder } from "./encoders.ts";
import { readFlux2, readQwen3 } from "./flux2.ts";
import { tokens, type WantedModel, weights } from "./wanted-model.ts";

const klein = weights("flux2", (checkpoint) => ({ ...readFlux2(checkpoint), make: () => new Flux(FLUX2_KLEIN) }));

/** What the klein preset stands on, beside CLIP-H of the paper's: all of it may be used commercially. */
export const KLEIN_WANTED: readonly WantedModel[] = [
  {
    what: "FLUX.2 [klein] Base 4B, the flow model that is trained on and draws best",
    files: [
      "klein/flux-2-klein-base-4b.safetensors",
      "klein/flux-2-klein-base-4b-fp8.safetensors",
      "klein-base/transformer",
    ],
    twins: true,
    source: "https://huggingface.co/black-forest-labs/FLUX.2-klein-base-4B (fp8: FLUX.2-klein-base-4b-fp8)",
    licence: "Apache-2.0",
    size: "7.8 GB, fp8 4.1 GB",
    ...klein,
  },
  {
    what: "FLUX.2 [klein] 4B, distilled: draws in four steps; not needed for training",
    files: [
      "klein/flux-2-klein-4b.safetensors",
      "klein/flux-2-klein-4b-fp8.safetensors",
      "klein-distilled/transformer",
    ],
    twins: true,
    source: "https://huggingface.co/black-forest-labs/FLUX.2-klein-4B (fp8: FLUX.2-klein-4b-fp8)",
    licence: "Apache-2.0",
    size: "7.8 GB, fp8 4.1 GB",
    ...klein,
  },
  {
    what: "FLUX.2's autoencoder",
    files: ["klein/ae.safetensors", "klein/flux2-vae.safetensors", "klein-base/vae", "klein-distilled/vae"],
    source: "https://huggingface.co/black-forest-labs/FLUX.2-klein-base-4B, folder vae",
    licence: "Apache-2.0 (as part of FLUX.2 [klein] 4B)",
    size: "0.3 GB",
    ...weights("flux2-autoencoder", (checkpoint) => {
      const { table, sizes } = readFlux2Autoencoder(checkpoint);
      const { decoderChannels } = sizes;
      return { table, make: () => new Flux2Autoencoder({ ...FLUX2_AUTOENCODER, decoderChannels }) };
    }),
  },
  {
    what: "Qwen3-4B, FLUX.2 [klein]'s text encoder",
    files: [
      "klein/qwen_3_4b.safetensors",
      "klein-base/text_encoder",
      "klein-distilled/text_encoder",
      "klein/text_encoder",
    ],
    source: "https://huggingface.co/black-forest-labs/FLUX.2-klein-base-4B, folder text_encoder",
    licence: "Apache-2.0",
    size: "8.0 GB",
    ...weights("qwen3", (checkpoint) => ({
      ...readQwen3(checkpoint),
      make: () => new Qwen3(QWEN3_4B, { whole: true }),
    })),
  },
  {
    what: "Qwen3's tokenizer",
    files: [
      "klein/tokenizer/tokenizer.json",
      "klein-base/tokenizer/tokenizer.json",
      "klein-distilled/tokenizer/tokenizer.json",
    ],
    source: "https://huggingface.co/black-forest-labs/FLUX.2-klein-base-4B, folder tokenizer",
    licence: "Apache-2.0",
    size: "11 MB",
    ...tokens(QWEN3_TOKENS),
  },
];
