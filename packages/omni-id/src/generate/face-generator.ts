import { existsSync } from "node:fs";
import { join } from "node:path";
import { FaceAnalyser, type RgbImage } from "@omni-id/face";
import { scope, type Tensor } from "@omni-id/torch";
import type { LandmarkControl } from "../adapters/landmark-control.ts";
import { unknownWords, VocabularyEncoder } from "../backbones/words.ts";
import type { KleinModel } from "../checkpoints/klein-base.ts";
import type { FlowAdapter } from "../flow-decoder.ts";
import type { Identity } from "../identity.ts";
import { checkEncoder } from "../identity-values.ts";
import { mainFace } from "../pictures/choose-faces.ts";
import { landmarkPictures } from "../pictures/landmark-pictures.ts";
import { type HeadPose, inAlignedCrop } from "../pictures/mean-face.ts";
import type { Representation } from "../representations/representation.ts";
import { readWeightsPreset } from "../weights/file.ts";
import { type LoadedEncoder, loadEncoder } from "../weights/first-stage.ts";
import {
  CONTROL_FILE,
  FLUX_FILE,
  type LoadedFlowBase,
  loadControl,
  loadFlowAdapter,
  loadFlowBase,
  publishedPreset,
} from "../weights/flow.ts";
import { shippedWeights } from "../weights/folder.ts";
import { type KnownPeople, loadKnownPeople } from "../weights/known-people.ts";
import { type DrawOptions, drawPictures } from "./draw.ts";
import { guidanceFor, kindOfPictures, REAL_GUIDANCE } from "./draw-settings.ts";

export interface GenerateOptions extends Omit<DrawOptions, "conditions" | "without" | "control" | "prompt"> {
  /** ℓ `[L, C]`; nobody in particular when absent. */
  identity?: Tensor;
  /** 68 points in pixels of the aligned picture, 136 numbers; see {@link FaceGenerator.poseLandmarks}. */
  landmarks?: ArrayLike<number>;
  prompt?: string;
}

/** @throws when the weights of a folder draw scenes */
function refuseScenes(folder: string): void {
  const file = join(folder, FLUX_FILE);
  if (!existsSync(file) || readWeightsPreset(file, "base").flow.pictures !== "scenes") return;
  throw new Error(`${folder}: these weights draw scenes: add --scene, or name weights that draw faces`);
}

/** Draws people from identity files alone: section 4.2, with the weights of one folder. */
export class FaceGenerator {
  readonly encoder: LoadedEncoder<Representation>;
  readonly base: LoadedFlowBase;
  readonly decoder: FlowAdapter;
  readonly #control: LandmarkControl | undefined;
  readonly #known: KnownPeople | undefined;

  private constructor(
    parts: Pick<FaceGenerator, "encoder" | "base" | "decoder"> & { control?: LandmarkControl; known?: KnownPeople },
  ) {
    this.encoder = parts.encoder;
    this.base = parts.base;
    this.decoder = parts.decoder;
    this.#control = parts.control;
    this.#known = parts.known;
  }

  /**
   * The weights of a folder, on the flow model that lies in it or, where its adapter was trained on a published one, on
   * that; a ControlNet may be missing then.
   * @param model which of FLUX.2's two; Base when absent
   * @throws when a file is missing, damaged, or does not belong to the others
   */
  static async load(
    folder: string = shippedWeights(),
    loaded?: LoadedEncoder<Representation>,
    model?: KleinModel,
  ): Promise<FaceGenerator> {
    refuseScenes(folder);
    const encoder = loaded ?? (await loadEncoder(folder));
    const published = publishedPreset(folder);
    const base = await loadFlowBase(folder, published, model);
    const decoder = await loadFlowAdapter(folder, { encoder, base });
    const control = existsSync(join(folder, CONTROL_FILE)) ? await loadControl(folder, base) : undefined;
    return new FaceGenerator({ encoder, base, decoder, control, known: await loadKnownPeople(folder, encoder) });
  }

  /** Whether landmarks can be given. */
  get hasControl(): boolean {
    return this.#control !== undefined;
  }

  /** @throws when the weights have none */
  get control(): LandmarkControl {
    if (this.#control) return this.#control;
    throw new Error(`these weights have no ${CONTROL_FILE}, which poses and landmarks need: omni-id train control`);
  }

  /** Side of a picture, in pixels. */
  get imageSize(): number {
    return this.base.preset.flow.imageSize;
  }

  /** Guidance where nothing else is said: of nano's pictures 1 is washed out, and above 4 colours burn. */
  get guidance(): number {
    return this.base.base.drawing.guidance ?? this.encoder.preset.flow.guidance.classifierFree;
  }

  /** Guidance for pictures of another kind than those trained on: the usual one where it is known what to draw of them. */
  get realGuidance(): number {
    return this.#known ? this.guidance : Math.min(REAL_GUIDANCE, this.guidance);
  }

  /** Guidance for an identity `[L, C]`: what suits the kind of pictures that it was made from. */
  guidanceFor(identity: Tensor): number {
    return this.#known ? this.guidance : guidanceFor(this.encoder.bundle.strangeness(identity), this.guidance);
  }

  /**
   * What is drawn of an identity `[L, C]`: all of it, or, where it was made from pictures of another kind than those trained
   * on and the weights tell what the decoder has met ({@link KnownPeople}), that part of it.
   */
  drawable(identity: Tensor): Tensor {
    const known = this.#known;
    if (!known || kindOfPictures(this.encoder.bundle.strangeness(identity)) !== "other") return identity;
    return known.partOf(identity);
  }

  /**
   * Identities mixed by weights that are scaled to a sum of 1: `[L, C]`.
   * @throws when one was made by another encoder
   */
  mix(identities: readonly { name: string; identity: Identity; weight: number }[]): Tensor {
    for (const { name, identity } of identities) checkEncoder(name, identity, this.encoder.hash);
    const total = identities.reduce((sum, { weight }) => sum + weight, 0);
    return scope(() =>
      identities
        .map(({ identity, weight }) => identity.tokens.mul(weight / total))
        .reduce((sum, tokens) => sum.add(tokens)),
    );
  }

  /** The mean face's landmarks in a pose. */
  poseLandmarks(pose: HeadPose): Float32Array {
    return this.control.poseLandmarks(pose, this.imageSize);
  }

  /** Pose and expression of the face that a photo is of. @throws when it shows none that can be used */
  async photoLandmarks(image: RgbImage, name: string): Promise<Float32Array> {
    const face = mainFace(name, image, await (await FaceAnalyser.load()).analyse(image));
    return inAlignedCrop(face.landmarks, this.imageSize);
  }

  /** The words that prompts may have, where the model knows no others; empty where it knows any. */
  get words(): readonly string[] {
    const { prompts } = this.base.base;
    return prompts instanceof VocabularyEncoder ? prompts.vocabulary : [];
  }

  /** Words of a prompt that this model does not know. */
  unknownWords(prompt: string): string[] {
    return unknownWords(this.base.base.prompts, prompt);
  }

  /** Guidance leads away from the bare base: without an identity or an empty prompt there is nothing to lead to. */
  #guidance(asked: number | undefined, identity: Tensor | undefined): number {
    const { emptyPrompt } = this.base.base.drawing;
    if (identity) return asked ?? this.guidanceFor(identity);
    return emptyPrompt !== undefined ? (asked ?? this.guidance) : 1;
  }

  /** Pictures `[count, 3, S, S]` in [−1, 1]. */
  generate({ identity, landmarks, prompt, guidance, ...options }: GenerateOptions): Tensor {
    return scope(() => {
      const { count } = options;
      const conditions =
        identity &&
        this.decoder.conditions(
          this.drawable(identity)
            .unsqueeze(0)
            .expand([count, ...identity.shape])
            .contiguous(),
        );
      const all = landmarks && Array.from({ length: count }, () => landmarks);
      const control = all && this.control.steer(landmarkPictures(all, this.imageSize));
      return drawPictures(this.base.base, {
        ...options,
        prompt: prompt ?? this.base.preset.flow.prompt,
        guidance: this.#guidance(guidance, identity),
        conditions,
        control,
      });
    });
  }
}
