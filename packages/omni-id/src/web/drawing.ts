import { normalDraws } from "@omni-id/torch/plain";
import { checkCount, NOISE } from "../generate/draw-settings.ts";
import type { IdentityValues } from "../identity-values.ts";
import { keyedSeed } from "../people/keyed-seed.ts";
import { drawLandmarks } from "../pictures/landmark-picture.ts";
import { rgbOf } from "../pictures/planes.ts";
import { dpmStep, eulerStep, guide, heunStep, pictureAt, schedule } from "../sampling-steps.ts";
import { Vocabulary } from "../text/prompt-words.ts";
import type { Models, Values } from "./models.ts";
import { PlainLatents } from "./plain-latents.ts";
import type { DrawnPicture, StudioGenerateOptions } from "./types.ts";

type Feeds = Record<string, Values>;
/** v(x_t, t). */
type Velocity = (x: PlainLatents, t: number) => Promise<PlainLatents>;

/** Pictures from identities, with the models of an export: what `drawPictures` does on LibTorch. */
export class Drawing {
  readonly vocabulary: Vocabulary;
  readonly #models: Models;

  constructor(models: Models) {
    this.#models = models;
    this.vocabulary = new Vocabulary(models.manifest.words, models.manifest.mostWords);
  }

  async draw(options: StudioGenerateOptions & { landmarks?: ArrayLike<number> }): Promise<DrawnPicture[]> {
    const { drawing } = this.#models.manifest;
    const { n = 4, seed = 0, steps = drawing.steps, solver = drawing.solver, onStep, previews, signal } = options;
    checkCount(n);
    const [tokens, channels] = drawing.tokens;
    // Picture by picture, so that the first ones do not change when more are asked for.
    const noise = new Float32Array(n * tokens * channels);
    for (let i = 0; i < n; i++) {
      noise.set(normalDraws(keyedSeed(seed, i, NOISE), tokens * channels), i * tokens * channels);
    }
    const times = schedule({ steps, tokens });
    const velocity = await this.#velocity(options, n);
    let x = new PlainLatents(noise);
    let before: { picture: PlainLatents; t: number } | undefined;
    for (let i = 0; i + 1 < times.length; i++) {
      await breathe(signal);
      const [t, next] = [times[i], times[i + 1]];
      const v = await velocity(x, t);
      const picture = pictureAt(x, v, t);
      if (solver === "dpm") x = dpmStep(x, picture, before, t, next);
      else {
        const guess = eulerStep(x, v, t, next);
        x = solver === "euler" || next === 0 ? guess : heunStep(x, v, await velocity(guess, next), t, next);
      }
      before = { picture, t };
      const pictures = previews && (await this.#pictures(picture, n)).map(({ image }) => image);
      onStep?.({ step: i + 1, steps, ...(pictures && { pictures }) });
    }
    signal?.throwIfAborted();
    return this.#pictures(x, n);
  }

  /** The guided velocity of all pictures; the same landmarks steer both sides of the guidance. */
  async #velocity(
    { identity, landmarks, prompt, guidance: asked }: StudioGenerateOptions,
    n: number,
  ): Promise<Velocity> {
    const { drawing, imageSize } = this.#models.manifest;
    const [tokens, channels] = drawing.tokens;
    const guidance = identity ? (asked ?? drawing.guidance) : 1;
    const prompts = await this.#prompts(prompt ?? drawing.prompt, n);
    const [who, nobody] = [identity && (await this.#told(identity, n)), this.#toldNothing(n)];
    const points: Values | undefined = landmarks && {
      data: repeated(drawLandmarks(landmarks, imageSize), n),
      dims: [n, 3, imageSize, imageSize],
    };
    return async (x, time) => {
      const noisy: Feeds = {
        x: { data: x.values, dims: [n, tokens, channels] },
        t: { data: new Float32Array(n).fill(time), dims: [n] },
        ...prompts,
      };
      const residuals = await this.#residuals(noisy, points, n);
      const ask = async (conditions: Feeds) => {
        const [v] = await this.#models.run("flux", { ...noisy, ...conditions, ...residuals });
        return new PlainLatents(v);
      };
      const v = await ask(who ?? nobody);
      return guidance === 1 ? v : guide(v, await ask(nobody), guidance);
    };
  }

  async #prompts(prompt: string, n: number): Promise<Feeds> {
    const row = BigInt64Array.from(this.vocabulary.row(prompt), BigInt);
    const data = new BigInt64Array(n * row.length);
    for (let i = 0; i < n; i++) data.set(row, i * row.length);
    const [txt, y] = await this.#models.run("prompts", { words: { data, dims: [n, row.length] } }, ["txt", "y"]);
    const { mostWords } = this.#models.manifest;
    return {
      txt: { data: txt, dims: [n, mostWords, txt.length / n / mostWords] },
      y: { data: y, dims: [n, y.length / n] },
    };
  }

  /** What FLUX is told of an identity. */
  async #told({ values }: IdentityValues, n: number): Promise<Feeds> {
    const { identity, drawing } = this.#models.manifest;
    const outputs = ["tokens", ...(drawing.modulation ? ["modulation"] : []), ...(drawing.extra ? ["extra"] : [])];
    const made = await this.#models.run(
      "adapter",
      { identity: { data: repeated(values, n), dims: [n, ...identity] } },
      outputs,
    );
    const of = (name: string) => made[outputs.indexOf(name)];
    return {
      tokens: { data: of("tokens"), dims: [n, ...identity] },
      scale: { data: new Float32Array(n).fill(1), dims: [n] },
      ...(drawing.modulation && { modulation: { data: of("modulation"), dims: [n, drawing.width] } }),
      ...(drawing.extra && {
        extra: { data: of("extra"), dims: [n, of("extra").length / n / drawing.width, drawing.width] },
      }),
    };
  }

  #toldNothing(n: number): Feeds {
    const { identity, drawing } = this.#models.manifest;
    return {
      tokens: zeros([n, ...identity]),
      scale: zeros([n]),
      ...(drawing.modulation && { modulation: zeros([n, drawing.width]) }),
      ...(drawing.extra && { extra: zeros([n, 0, drawing.width]) }),
    };
  }

  async #residuals(noisy: Feeds, landmarks: Values | undefined, n: number): Promise<Feeds> {
    const { width, tokens, residuals } = this.#models.manifest.drawing;
    const names = Array.from({ length: residuals }, (_, i) => `residual_${i + 1}`);
    const dims = [n, tokens[0], width];
    if (!landmarks) return Object.fromEntries(names.map((name) => [name, zeros(dims)]));
    const made = await this.#models.run("control", { ...noisy, landmarks }, names);
    return Object.fromEntries(names.map((name, i) => [name, { data: made[i], dims }]));
  }

  async #pictures({ values }: PlainLatents, n: number): Promise<DrawnPicture[]> {
    const { imageSize, drawing } = this.#models.manifest;
    const [all] = await this.#models.run("latents", { x: { data: values, dims: [n, ...drawing.tokens] } });
    const size = 3 * imageSize ** 2;
    return Array.from({ length: n }, (_, i) => {
      const one = all.slice(i * size, (i + 1) * size);
      return { image: rgbOf(one, imageSize), values: one };
    });
  }
}

function zeros(dims: readonly number[]): Values {
  return { data: new Float32Array(dims.reduce((a, b) => a * b, 1)), dims };
}

function repeated(values: Float32Array, times: number): Float32Array {
  const all = new Float32Array(times * values.length);
  for (let i = 0; i < times; i++) all.set(values, i * values.length);
  return all;
}

/** Lets messages in, such as one that cancels. @throws the signal's reason */
async function breathe(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
  signal?.throwIfAborted();
}
