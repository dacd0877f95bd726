import { alignedCrop, FaceAnalyser, loadImage, type RgbImage, toSharp } from "@omni-id/face";
import { fromTypedArray, scope, type Tensor } from "@omni-id/torch";
import {
  attentionOf,
  checkEncoder,
  EXPRESSIONS,
  expressionNamed,
  FaceGenerator,
  hasFlowWeights,
  type Identity,
  IdentityEncoder,
  type LoadedEncoder,
  loadEncoder,
  loadMaskedDecoder,
  type MaskedDecoder,
  MaskedTarget,
  mainFace,
  REAL_GUIDANCE,
  shippedWeights,
  toRgb,
} from "omni-id";
import type { Answer, Asked, NamedIdentity, PhotoBytes, TaskContext } from "./tasks.ts";

/** Side of the faces that the page shows of photos, in pixels. */
const SHOWN = 160;
/** Steps of a model that says nothing of its own. */
const STEPS = 20;

/** The tasks with LibTorch; models are loaded when they are first needed. */
export class NodeEngine {
  readonly #weights: string;
  readonly #encoder: LoadedEncoder;
  #maker: IdentityEncoder | undefined;
  #generator: FaceGenerator | undefined;
  #decoder: MaskedDecoder | undefined;

  private constructor(weights: string, encoder: LoadedEncoder) {
    this.#weights = weights;
    this.#encoder = encoder;
  }

  /** @throws when a folder holds no weights */
  static async open(weights: string = shippedWeights()): Promise<NodeEngine> {
    return new NodeEngine(weights, await loadEncoder(weights));
  }

  async about(): Promise<Answer<"about">> {
    const { name, hash, preset } = this.#encoder;
    const told = { encoder: name, hash, realGuidance: REAL_GUIDANCE };
    if (!hasFlowWeights(this.#weights)) {
      const { imageSize } = preset.flow;
      return { ...told, canDraw: false, imageSize, guidance: 1, steps: STEPS, words: [], expressions: [] };
    }
    const generator = await this.#drawing();
    const { steps = STEPS } = generator.base.base.drawing;
    const { guidance, imageSize, words } = generator;
    return {
      ...told,
      realGuidance: generator.realGuidance,
      canDraw: true,
      imageSize,
      guidance,
      steps,
      words: [...words],
      expressions: [...EXPRESSIONS],
    };
  }

  async encode({ photos }: Asked<"encode">, { progress }: TaskContext): Promise<Answer<"encode">> {
    progress({ done: 0, total: photos.length });
    const result = await (await this.#faces()).encode(photos, {
      onProgress: (done, total) => progress({ done, total }),
    });
    const { tokens, ...notes } = result.identity;
    const values = { ...notes, values: Float32Array.from(tokens.toTypedArray() as Float32Array), shape: tokens.shape };
    tokens.dispose();
    const used = await Promise.all(
      result.used.map(async ({ photo, image, face: { landmarks, quality, pose } }) => ({
        photo,
        face: await png(alignedCrop(image, landmarks, SHOWN).image),
        quality,
        pose,
      })),
    );
    return { values, used, refused: result.refused, warnings: result.warnings };
  }

  async generate(asked: Asked<"generate">, { progress }: TaskContext): Promise<Answer<"generate">> {
    const generator = await this.#drawing();
    const { count, seed, prompt, steps = generator.base.base.drawing.steps ?? STEPS, guidance, preview } = asked;
    progress({ done: 0, total: steps });
    const made = scope(() =>
      generator.generate({
        identity: asked.identities.length > 0 ? this.#mixed(generator, asked.identities) : undefined,
        landmarks: landmarksOf(generator, asked),
        prompt,
        count,
        seed,
        steps,
        guidance,
        onStep: (done, total, pictures) =>
          progress({ done, total, pictures: preview && done < total ? rgbs(pictures()) : undefined }),
      }),
    );
    const pictures = await Promise.all(rgbs(made).map(png));
    made.dispose();
    return { pictures, unknownWords: prompt ? generator.unknownWords(prompt) : [] };
  }

  async reconstruct(asked: Asked<"reconstruct">, { progress }: TaskContext): Promise<Answer<"reconstruct">> {
    const { photo, identities, seed } = asked;
    this.#decoder ??= await loadMaskedDecoder(this.#weights, this.#encoder);
    const { image, face } = await this.#lookAt(photo);
    const { imageSize, maskRatio, tokens } = this.#encoder.preset.mtd;
    const target = new MaskedTarget(image, face.landmarks, {
      decoder: this.#decoder,
      imageSize,
      maskRatio,
      tokens,
      seed,
    });
    const made: Answer<"reconstruct">["made"] = [];
    for (const [i, identity] of identities.entries()) {
      progress({ done: i, total: identities.length });
      const { l1, shown } = scope(() => {
        const picture = target.reconstruct(this.#tensor(identity));
        return { l1: target.l1(picture), shown: toRgb(target.paste(picture).squeeze(0)) };
      });
      made.push({ id: identity.id, picture: await png(shown), l1 });
    }
    const [truth, visible] = scope(() => [target.truth, target.visible()].map((one) => toRgb(one.squeeze(0))));
    return { target: await png(truth), visible: await png(visible), made };
  }

  async landmarks({ photo }: Asked<"landmarks">): Promise<Answer<"landmarks">> {
    const generator = await this.#drawing();
    const points = await generator.photoLandmarks(await loadImage(photo.bytes, { name: photo.name }), photo.name);
    return { landmarks: Array.from(points) };
  }

  async attention({ photos, block }: Asked<"attention">, { progress }: TaskContext): Promise<Answer<"attention">> {
    const { used } = await (await this.#faces()).encode(photos, {
      onProgress: (done, total) => progress({ done, total }),
    });
    const report = attentionOf(this.#encoder.bundle.encoder, used, { block });
    return {
      block: report.block,
      side: this.#encoder.bundle.encoder.backbone.grid.side,
      placed: report.placed,
      photos: await Promise.all(
        report.photos.map(async ({ name, crop, maps }) => ({
          photo: name,
          crop: await png(crop),
          maps: maps.map((map) => Array.from(map)),
        })),
      ),
      queries: report.queries,
    };
  }

  async #faces(): Promise<IdentityEncoder> {
    this.#maker ??= await IdentityEncoder.create(this.#encoder);
    return this.#maker;
  }

  async #drawing(): Promise<FaceGenerator> {
    this.#generator ??= await FaceGenerator.load(this.#weights, this.#encoder);
    return this.#generator;
  }

  async #lookAt({ name, bytes }: PhotoBytes) {
    const image = await loadImage(bytes, { name });
    return { image, face: mainFace(name, image, await (await FaceAnalyser.load()).analyse(image)) };
  }

  #tensor({ name, values: { values, shape, encoder } }: NamedIdentity): Tensor {
    checkEncoder(name, { encoder }, this.#encoder.hash);
    return fromTypedArray(values, shape);
  }

  #mixed(generator: FaceGenerator, identities: readonly NamedIdentity[]): Tensor {
    const told = identities.map((one) => {
      const { encoder, photos, created } = one.values;
      const identity: Identity = { tokens: this.#tensor(one), encoder, photos, created };
      return { name: one.name, identity, weight: one.share };
    });
    return generator.mix(told);
  }
}

function landmarksOf(generator: FaceGenerator, { landmarks, pose, expression }: Asked<"generate">) {
  if (landmarks) return landmarks;
  if (!pose && !expression) return undefined;
  const { yaw, pitch } = pose ?? { yaw: 0, pitch: 0 };
  return generator.poseLandmarks({ yaw, pitch, expression: expression ? expressionNamed(expression) : undefined });
}

const png = async (image: RgbImage): Promise<Uint8Array> => new Uint8Array(await toSharp(image).png().toBuffer());

/** Pictures `[N, 3, S, S]` one by one. */
const rgbs = (pictures: Tensor): RgbImage[] => scope(() => pictures.unbind(0).map((one) => toRgb(one)));
