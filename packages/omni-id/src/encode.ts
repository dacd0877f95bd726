import { basename } from "node:path";
import { type AnalysedFace, FaceAnalyser, loadImage, type RgbImage } from "@omni-id/face";
import { noGrad, scope } from "@omni-id/torch";
import type { Identity } from "./identity.ts";
import { type ChosenFace, chooseFaces, type FoundPhoto, photoNotes } from "./pictures/choose-faces.ts";
import { faceInput } from "./pictures/face-input.ts";
import { findFaces } from "./pictures/found-photo.ts";
import { printable } from "./pictures/printable.ts";
import { rgbBatch, toUnit } from "./pictures/rgb-batch.ts";
import type { LoadedEncoder } from "./weights/first-stage.ts";

/** A photo: a file's path, an encoded image, or pixels; `name` is what messages call it. */
export type Photo = string | Uint8Array | { name: string; image: RgbImage } | { name: string; bytes: Uint8Array };

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
    const found: FoundPhoto[] = [];
    for (const [index, photo] of photos.entries()) {
      const name = nameOf(photo, index);
      try {
        const image = await open(photo, name);
        found.push(await findFaces(this.#faces, name, image));
      } catch (error) {
        refused.push({ photo: name, reason: withoutName((error as Error).message, name) });
      }
      onProgress?.(index + 1, photos.length);
    }
    const choice = chooseFaces(found);
    const { chosen, warnings } = choice;
    refused.push(...choice.refused);
    if (chosen.length === 0) throw new UnusablePhotos(refused);
    return {
      identity: this.#identity(chosen),
      used: chosen.map(({ name, image, face }) => ({ photo: name, image, face })),
      refused,
      warnings,
    };
  }

  #identity(chosen: readonly ChosenFace[]): Identity {
    const { bundle, name, hash } = this.encoder;
    const tokens = scope(() =>
      noGrad(() => {
        const crops = rgbBatch(
          chosen.map(({ image, face }) => faceInput(bundle.encoder.backbone, image, face.landmarks)),
        );
        return bundle.encoder.forward(toUnit(crops).unsqueeze(0)).squeeze(0);
      }),
    ).keep();
    const strangeness = bundle.strangeness(tokens);
    const told = { encoder: { name, hash }, photos: photoNotes(chosen), created: new Date().toISOString() };
    return { tokens, ...told, ...(strangeness !== undefined && { strangeness }) };
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

function nameOf(photo: Photo, index: number): string {
  if (typeof photo === "string") return `photo ${index + 1} (${printable(basename(photo))})`;
  return photo instanceof Uint8Array ? `photo ${index + 1}` : photo.name;
}

async function open(photo: Photo, name: string): Promise<RgbImage> {
  if (typeof photo === "string" || photo instanceof Uint8Array) return loadImage(photo, { name });
  return "image" in photo ? photo.image : loadImage(photo.bytes, { name });
}

/** Messages of the layers below often begin with the photo's name already. */
function withoutName(message: string, name: string): string {
  return message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message;
}
