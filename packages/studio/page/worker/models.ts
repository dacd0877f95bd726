import {
  type AnalysedPhoto,
  EXPRESSIONS,
  expressionNamed,
  type IdentityValues,
  kindOfPictures,
  openStudio,
  type Studio,
  type StudioStep,
} from "omni-id/web";
import { version } from "../../package.json";
import type { Progress } from "../engine/engine.ts";
import type { Encoded, NamedBytes, WorkerTask, WorkerTasks } from "../engine/messages.ts";
import { decodePhoto, toAddress, toPng } from "./decode.ts";
import { fetched } from "./files.ts";
import { fetchHeic } from "./heic.ts";
import { openRuntime } from "./runtime.ts";

interface Context {
  signal: AbortSignal;
  progress: (progress: Omit<Progress, "pictures"> & { pictures?: Blob[] }) => void;
}

type Tasks = {
  [Task in WorkerTask]: (asked: WorkerTasks[Task]["asked"], context: Context) => Promise<WorkerTasks[Task]["answer"]>;
};
type Asked<Task extends WorkerTask> = WorkerTasks[Task]["asked"];

/** Photos whose analysis is kept: adding one to a pile looks at that one alone. */
const MOST_KEPT = 60;
const MOST_PHOTOS = 100;

/** The tasks of browser mode, each a few lines over `omni-id/web`. */
export class BrowserModels implements Tasks {
  #opened: Promise<Studio> | undefined;
  readonly #analysed = new Map<string, AnalysedPhoto>();

  async models(_: Asked<"models">, { progress }: Context): Promise<WorkerTasks["models"]["answer"]> {
    const studio = await this.#studio(progress);
    // All of it now: what is here works without a network later.
    for (const part of ["encode", "generate", "reconstruct"] as const) await studio.warm(part);
    await fetchHeic();
    const { info } = studio;
    return {
      version,
      encoder: info.encoder.name,
      canDraw: true,
      imageSize: info.imageSize,
      guidance: info.guidance,
      realGuidance: info.realGuidance,
      steps: info.steps,
      words: info.words,
      expressions: EXPRESSIONS,
      folder: null,
      mostPhotos: MOST_PHOTOS,
    };
  }

  async encode({ photos }: Asked<"encode">, context: Context): Promise<Encoded> {
    const studio = await this.#studio(context.progress);
    const { good, bad } = await this.#analyse(studio, photos, context);
    if (good.length === 0) throw new Error(noneUsable(bad));
    const { identity, used, refused, warnings } = await studio.encode(good);
    return {
      bytes: studio.saveIdentity(identity),
      used: await Promise.all(
        used.map(async ({ photo, crop }) => {
          const note = identity.photos.find(({ name }) => name === photo);
          const { quality = 0, pose = { yaw: 0, pitch: 0, roll: 0 } } = note ?? {};
          return { photo, face: await toAddress(crop), quality, pose };
        }),
      ),
      refused: [...bad, ...refused],
      warnings,
    };
  }

  async read({ name, bytes }: Asked<"read">, { progress }: Context) {
    const { photos, created, encoder, strangeness } = (await this.#studio(progress)).loadIdentity(bytes, name);
    const pictures = kindOfPictures(strangeness);
    return { photos: photos.length, created, encoder: encoder.hash, ...(pictures && { pictures }) };
  }

  async compare({ a, b }: Asked<"compare">, { progress }: Context): Promise<number> {
    const studio = await this.#studio(progress);
    return studio.compare(identity(studio, a), identity(studio, b));
  }

  async generate(asked: Asked<"generate">, { progress, signal }: Context) {
    const { identities, count, pose, expression, landmarks, prompt, preview, ...rest } = asked;
    const studio = await this.#studio(progress);
    const mixed = identities.map((one) => ({ name: one.name, identity: identity(studio, one), weight: one.share }));
    const drawn = await studio.generate({
      ...rest,
      n: count,
      prompt,
      landmarks,
      identity: mixed.length > 0 ? studio.mix(mixed) : undefined,
      pose: pose && { ...pose, expression: expression === undefined ? undefined : expressionNamed(expression) },
      previews: preview,
      signal,
      onStep: (step) => void tell(step, progress),
    });
    return {
      pictures: await Promise.all(drawn.map(({ image }) => toPng(image))),
      unknownWords: prompt ? studio.unknownWords(prompt) : [],
    };
  }

  async landmarks({ photo }: Asked<"landmarks">, context: Context): Promise<number[]> {
    const studio = await this.#studio(context.progress);
    return Array.from(studio.photoLandmarks(await this.#one(studio, photo, context)));
  }

  async reconstruct({ photo, identities, seed }: Asked<"reconstruct">, context: Context) {
    const studio = await this.#studio(context.progress);
    const target = await this.#one(studio, photo, context);
    const made: WorkerTasks["reconstruct"]["answer"]["made"] = [];
    let [truth, visible] = ["", ""];
    for (const [i, one] of identities.entries()) {
      context.signal.throwIfAborted();
      context.progress({ what: "work", done: i, total: identities.length });
      const drawn = await studio.reconstruct({ target, identity: identity(studio, one), seed });
      if (i === 0) [truth, visible] = await Promise.all([toAddress(drawn.target), toAddress(drawn.visible)]);
      made.push({ id: one.id, picture: await toAddress(drawn.picture), l1: drawn.l1 });
    }
    return { target: truth, visible, made };
  }

  async attention({ photos }: Asked<"attention">, context: Context) {
    const studio = await this.#studio(context.progress);
    const { good, bad } = await this.#analyse(studio, photos, context);
    if (good.length === 0) throw new Error(noneUsable(bad));
    const { block, side, placed, photos: looked, queries } = await studio.attention(good);
    return {
      block,
      side,
      placed,
      photos: await Promise.all(
        looked.map(async ({ name, crop, maps }) => ({
          photo: name,
          crop: await toAddress(crop),
          maps: maps.map((map) => Array.from(map)),
        })),
      ),
      queries: queries.map((query) => ({ ...query, place: [...query.place] as [number, number] })),
    };
  }

  #studio(progress: Context["progress"]): Promise<Studio> {
    this.#opened ??= this.#open(progress).catch((error) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  async #open(progress: Context["progress"]): Promise<Studio> {
    const { ort, session } = await openRuntime();
    return openStudio({
      ort,
      session,
      fetchModel: (file) => fetched(`models/${file}`),
      onDownload: ({ done, total }) => progress({ what: "models", done, total }),
    });
  }

  async #one(studio: Studio, photo: File, context: Context): Promise<AnalysedPhoto> {
    const { good, bad } = await this.#analyse(studio, [photo], context);
    if (good[0]) return good[0];
    throw new Error(`${photo.name}: ${bad[0]?.reason}`);
  }

  /** Photos that can be read; those that cannot, with the reason. */
  async #analyse(studio: Studio, photos: readonly File[], { progress, signal }: Context) {
    const good: AnalysedPhoto[] = [];
    const bad: { photo: string; reason: string }[] = [];
    for (const [i, photo] of photos.entries()) {
      signal.throwIfAborted();
      progress({ what: "work", done: i, total: photos.length });
      const key = `${photo.name}\n${photo.size}\n${photo.lastModified}`;
      try {
        const known = this.#analysed.get(key) ?? (await studio.analyse(await decodePhoto(photo)));
        this.#analysed.delete(key);
        this.#analysed.set(key, known);
        for (const old of [...this.#analysed.keys()].slice(0, -MOST_KEPT)) this.#analysed.delete(old);
        good.push(known);
      } catch (error) {
        const { message } = error as Error;
        const told = message.startsWith(`${photo.name}: `) ? message.slice(photo.name.length + 2) : message;
        bad.push({ photo: photo.name, reason: told });
      }
    }
    signal.throwIfAborted();
    progress({ what: "work", done: photos.length, total: photos.length });
    return { good, bad };
  }
}

async function tell({ step, steps, pictures }: StudioStep, progress: Context["progress"]): Promise<void> {
  const shown = pictures && step < steps ? await Promise.all(pictures.map(toPng)) : undefined;
  progress({ what: "work", done: step, total: steps, pictures: shown });
}

const identity = (studio: Studio, { name, bytes }: NamedBytes): IdentityValues => studio.loadIdentity(bytes, name);

const noneUsable = (refused: readonly { photo: string; reason: string }[]): string =>
  `none of the ${refused.length} photos can be used:${refused.map(({ photo, reason }) => `\n  ${photo}: ${reason}`).join("")}`;
