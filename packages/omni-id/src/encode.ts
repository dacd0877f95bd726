import { basename } from "node:path";
import { type AnalysedFace, FaceAnalyser, loadImage, portraitOf, type RgbImage } from "@omni-id/face";
import { noGrad, scope } from "@omni-id/torch";
import type { Identity, PhotoNote } from "./identity.ts";
import { faceInput } from "./pictures/face-input.ts";
import { rgbBatch, toUnit } from "./pictures/rgb-batch.ts";
import type { LoadedEncoder } from "./weights/first-stage.ts";

/** A photo: a file's path, an encoded image, or pixels; `name` is what messages call it. */
export type Photo = string | Uint8Array | { name: string; image: RgbImage };

/** A photo that did not go into an identity. */
export interface Refusal {
  photo: string;
  reason: string;
}

/** Not one photo shows a face that can be used. */
export class UnusablePhotos extends Error {
  readonly refused: readonly Refusal[];

  constructor(refused: readonly Refusal[]) {
    const reasons = refused.map(({ photo, reason }) => `\n  ${photo}: ${reason}`).join("");
    super(`none of the ${refused.length} photos can be used:${reasons}`);
    this.name = "UnusablePhotos";
    this.refused = refused;
  }
}

/** An identity, and what became of each photo. */
export interface EncodeResult {
  identity: Identity;
  /** Photos that went in, with the face that was taken from each; of a large photo, the part around that face. */
  used: { photo: string; image: RgbImage; face: AnalysedFace }[];
  /** Photos that did not, and why. */
  refused: Refusal[];
  /** What a person should know, such as a photo that seems to show somebody else. */
  warnings: string[];
}

/** How an encoding is followed. */
export interface EncodeOptions {
  /** Called after each photo that was read. */
  onProgress?: (done: number, total: number) => void;
}

/** A face this much larger than the next one is whom the photo is of. */
const CLEARLY_LARGER = 1.5;
/** Cosine of recogniser features under which two photos hardly show one person. */
const ANOTHER_PERSON = 0.15;
/** A face less wide than this, in pixels, shows nobody in particular. */
const LEAST_FACE = 24;

/** Encodes photos of one person with an encoder and its face analyser. */
export class IdentityEncoder {
  readonly encoder: LoadedEncoder;
  readonly #faces: FaceAnalyser;

  private constructor(encoder: LoadedEncoder, faces: FaceAnalyser) {
    this.encoder = encoder;
    this.#faces = faces;
  }

  static async create(encoder: LoadedEncoder): Promise<IdentityEncoder> {
    return new IdentityEncoder(encoder, await FaceAnalyser.load());
  }

  /**
   * Any number of photos of one person to one identity. Photos without a usable face are refused one by one and the
   * rest goes on; where a photo shows several people, the one that the other photos show is taken.
   * @throws {UnusablePhotos} when no photo is usable; the message lists the reasons
   */
  async encode(photos: readonly Photo[], { onProgress }: EncodeOptions = {}): Promise<EncodeResult> {
    if (photos.length === 0) throw new Error("no photos given; name at least one photo of the person");
    const refused: Refusal[] = [];
    const found: Found[] = [];
    for (const [index, photo] of photos.entries()) {
      const name = nameOf(photo, index);
      try {
        const image = await open(photo, name);
        const faces = await this.#faces.analyse(image);
        checkSize(faces);
        found.push({ name, faces: await Promise.all(faces.map((face) => toPortrait(image, face))) });
      } catch (error) {
        refused.push({ photo: name, reason: withoutName((error as Error).message, name) });
      }
      onProgress?.(index + 1, photos.length);
    }
    const { chosen, ambiguous } = await this.#choose(found);
    refused.push(...ambiguous);
    if (chosen.length === 0) throw new UnusablePhotos(refused);
    return {
      identity: this.#identity(chosen),
      used: chosen.map(({ name, image, face }) => ({ photo: name, image, face })),
      refused,
      warnings: oddOnesOut(chosen),
    };
  }

  #identity(chosen: readonly Chosen[]): Identity {
    const { bundle, name, hash } = this.encoder;
    const tokens = scope(() =>
      noGrad(() => {
        const crops = rgbBatch(
          chosen.map(({ image, face }) => faceInput(bundle.encoder.backbone, image, face.landmarks)),
        );
        return bundle.encoder.forward(toUnit(crops).unsqueeze(0)).squeeze(0);
      }),
    ).keep();
    const photos: PhotoNote[] = chosen.map(({ name: photo, face: { quality, pose } }) => ({
      name: photo,
      quality,
      pose,
    }));
    return { tokens, encoder: { name, hash }, photos, created: new Date().toISOString() };
  }

  /** Decides for each photo whose face is meant. */
  async #choose(found: readonly Found[]): Promise<{ chosen: Chosen[]; ambiguous: Refusal[] }> {
    const pick = async ({ name }: Found, portrait: Portrait): Promise<Chosen> => ({
      ...portrait,
      name,
      feature: await this.#faces.recognise(portrait.image, portrait.face.landmarks),
    });
    const sure = found.filter(({ faces }) => faces.length === 1 || faces[0].area > CLEARLY_LARGER * faces[1].area);
    const chosen = await Promise.all(sure.map((photo) => pick(photo, photo.faces[0])));
    const ambiguous: Refusal[] = [];
    for (const photo of found.filter((some) => !sure.includes(some))) {
      const candidates = await Promise.all(photo.faces.map((face) => pick(photo, face)));
      const scored = candidates.map((candidate) => ({ candidate, score: likeness(candidate, chosen) }));
      const [best] = scored.sort((a, b) => b.score - a.score);
      if (chosen.length > 0 && best.score > ANOTHER_PERSON) chosen.push(best.candidate);
      else {
        const reason = `shows ${photo.faces.length} faces of like size, and no other photo tells whose is meant; crop it to one person`;
        ambiguous.push({ photo: photo.name, reason });
      }
    }
    return { chosen, ambiguous };
  }
}

/** Encodes photos in one call; keep an {@link IdentityEncoder} to encode many people. */
export async function encodeIdentity(
  encoder: LoadedEncoder,
  photos: readonly Photo[],
  options?: EncodeOptions,
): Promise<EncodeResult> {
  return (await IdentityEncoder.create(encoder)).encode(photos, options);
}

/** The similarity of two identities of one encoder, −1…1, higher for the same person. */
export function compareIdentities({ bundle }: LoadedEncoder, a: Identity, b: Identity): number {
  return scope(() => {
    const [one, two] = [a, b].map(({ tokens }) => bundle.compared(tokens.unsqueeze(0)));
    return one.mul(two).sum().item();
  });
}

interface Portrait {
  image: RgbImage;
  face: AnalysedFace;
  /** Of the face's box, in pixels of the photo. */
  area: number;
}

interface Found {
  name: string;
  /** Largest first. */
  faces: Portrait[];
}

interface Chosen extends Portrait {
  name: string;
  feature: Float32Array;
}

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i], 0);

/** Mean cosine of one photo's face with those of others. */
function likeness(one: Chosen, others: readonly Chosen[]): number {
  const scores = others.filter((other) => other !== one).map((other) => dot(one.feature, other.feature));
  return scores.length > 0 ? scores.reduce((sum, score) => sum + score, 0) / scores.length : 1;
}

function oddOnesOut(chosen: readonly Chosen[]): string[] {
  return chosen
    .filter((one) => likeness(one, chosen) < ANOTHER_PERSON)
    .map(({ name }) => `${name} seems to show somebody else than the other photos`);
}

async function toPortrait(photo: RgbImage, face: AnalysedFace): Promise<Portrait> {
  return { ...(await portraitOf(photo, face)), area: face.box.width * face.box.height };
}

function nameOf(photo: Photo, index: number): string {
  if (typeof photo === "string") return `photo ${index + 1} (${basename(photo)})`;
  return photo instanceof Uint8Array ? `photo ${index + 1}` : photo.name;
}

async function open(photo: Photo, name: string): Promise<RgbImage> {
  return typeof photo === "string" || photo instanceof Uint8Array ? loadImage(photo, { name }) : photo.image;
}

/** @throws when there is no face, or none that shows who it is */
function checkSize([largest]: readonly AnalysedFace[]): void {
  const remedy = "use a photo where the face is at least 64 px wide";
  if (!largest) throw new Error(`no face found; ${remedy}`);
  if (largest.size < LEAST_FACE) throw new Error(`the face is only ${Math.round(largest.size)} px wide; ${remedy}`);
}

/** Messages of the layers below often begin with the photo's name already. */
function withoutName(message: string, name: string): string {
  return message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message;
}
