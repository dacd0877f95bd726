import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Pose } from "@omni-id/face";
import { scope, stack, type Tensor } from "@omni-id/torch";
import { unknownWords, VocabularyEncoder } from "../backbones/words.ts";
import type { FlowAdapter } from "../flow-decoder.ts";
import { layoutTokens } from "../pictures/head-layout.ts";
import type { Representation } from "../representations/representation.ts";
import type { IdentitySpan, SceneGuidance, SolverName } from "../sampling-steps.ts";
import { type LoadedEncoder, loadRepresentation } from "../weights/first-stage.ts";
import {
  ADAPTER_FILE,
  type LoadedFlowBase,
  loadFlowAdapter,
  loadFlowBase,
  publishedPreset,
  takesPublished,
} from "../weights/flow.ts";
import { ENCODER_FILE, shippedWeights } from "../weights/folder.ts";
import { drawScene } from "./draw-scene.ts";
import { drawLayout } from "./scene-layout.ts";

/** Whom to draw, where, and from which noise. */
export interface SceneWish {
  prompt: string;
  /** ℓ `[L, C]`; anybody when absent. Of the scenes that are drawn together all have one, or none has. */
  identity?: Tensor;
  /** The same seed gives the same noise, whatever is drawn beside it. */
  seed: number;
  /** Number of the picture under its seed; 0 when absent. */
  number?: number;
  /** How the head is held, degrees; drawn where nothing is said. */
  pose?: Pose | undefined;
}

/** How scenes are drawn; what is left out is the preset's. */
export interface SceneSettings {
  guidance?: Partial<SceneGuidance>;
  span?: IdentitySpan;
  /** What the words lead away from; the preset's prompt when absent. */
  negative?: string;
  steps?: number;
  solver?: SolverName;
  precision?: "float32" | "bfloat16";
  onStep?: (step: number, steps: number) => void;
}

/** Draws people in scenes that a sentence tells of: section 4.3, with the weights of one folder. */
export class SceneGenerator {
  readonly encoder: LoadedEncoder<Representation>;
  readonly base: LoadedFlowBase;
  /** Tells the base of a person; absent where the bare base was loaded. */
  readonly decoder: FlowAdapter | undefined;

  private constructor(parts: Pick<SceneGenerator, "encoder" | "base" | "decoder">) {
    this.encoder = parts.encoder;
    this.base = parts.base;
    this.decoder = parts.decoder;
  }

  /**
   * The weights of a folder. Its encoder may be the one that ships, which then need not lie there once more.
   * @param loaded the encoder, where it is at hand
   * @throws when a file is missing, damaged, or does not belong to the others; when the folder's weights draw faces
   */
  static async load(
    folder: string = shippedWeights("nano-scenes"),
    loaded?: LoadedEncoder<Representation>,
  ): Promise<SceneGenerator> {
    const base = await loadFlowBase(folder, publishedPreset(folder));
    const { pictures } = base.preset.flow;
    if (!takesPublished(base.preset) && pictures !== "scenes") {
      throw new Error(
        `${folder}: these weights draw aligned faces, and no scenes; leave --scene out, or name weights of: omni-id train personalise`,
      );
    }
    const own = existsSync(join(folder, ENCODER_FILE));
    const encoder = loaded ?? (await loadRepresentation(own ? folder : shippedWeights()));
    const decoder = existsSync(join(folder, ADAPTER_FILE))
      ? await loadFlowAdapter(folder, { encoder, base })
      : undefined;
    return new SceneGenerator({ encoder, base, decoder });
  }

  /** Side of a picture. */
  get pixels(): number {
    return this.base.preset.flow.imageSize;
  }

  /** Where nothing else is said. */
  get guidance(): SceneGuidance {
    const { text, classifierFree } = this.base.preset.flow.guidance;
    return { text, identity: (this.decoder && classifierFree) ?? 1 };
  }

  /** Words of a prompt that the model takes, where it counts them. */
  get longest(): number | undefined {
    const { prompts } = this.base.base;
    return prompts instanceof VocabularyEncoder ? prompts.length : undefined;
  }

  /** Words of a prompt that this model does not know. */
  unknownWords(prompt: string): string[] {
    return unknownWords(this.base.base.prompts, prompt);
  }

  /**
   * Pictures `[B, 3, S, S]` in [−1, 1], one a wish.
   * @throws when some of the wishes have an identity and others none; when the weights know of no identities
   */
  draw(wishes: readonly SceneWish[], { guidance, negative, ...settings }: SceneSettings = {}): Tensor {
    const identities = wishes.flatMap(({ identity }) => (identity ? [identity] : []));
    if (identities.length > 0 && identities.length < wishes.length) {
      throw new Error("scenes with an identity and scenes without one are not drawn together: draw them apart");
    }
    const { base } = this.base;
    const pictures = wishes.map(({ number = 0, ...wish }) => ({ ...wish, number }));
    return scope(() =>
      drawScene(base, {
        ...settings,
        pictures,
        layout: base.layoutChannels > 0 ? layoutTokens(pictures.map(drawLayout), base.across) : undefined,
        negative: negative ?? this.base.preset.flow.prompt,
        guidance: { ...this.guidance, ...guidance },
        conditions: identities.length > 0 ? this.#adapter.conditions(stack(identities)) : undefined,
      }),
    );
  }

  get #adapter(): FlowAdapter {
    if (this.decoder) return this.decoder;
    throw new Error(`these weights have no ${ADAPTER_FILE}, which identities need: omni-id train personalise`);
  }
}
