import { describeNoFace, FaceReader, type RgbImage, toPlanes } from "@omni-id/face/plain";
import { type AttentionReport, attentionReport } from "../evaluate/attention-report.ts";
import type { IdentityValues } from "../identity-values.ts";
import { type Choice, type ChosenFace, chooseFaces, photoNotes } from "../pictures/choose-faces.ts";
import { faceCut } from "../pictures/face-input.ts";
import { toPortrait } from "../pictures/found-photo.ts";
import type { Models, Values } from "./models.ts";
import type { AnalysedPhoto, EncodedPerson, StudioAttention, StudioPhoto } from "./types.ts";

/** Outputs of the recogniser's graph: its feature, and the maps inside it that the encoder asks. */
export const RECOGNISER_OUTPUTS = ["feature", "middle", "last"] as const;

/** Photos to faces to identities, with the models of an export. */
export class People {
  readonly #models: Models;
  readonly #reader: FaceReader;
  readonly #strangeness: (values: Float32Array) => number | undefined;

  constructor(models: Models, strangeness: (values: Float32Array) => number | undefined) {
    this.#models = models;
    this.#strangeness = strangeness;
    this.#reader = new FaceReader({
      detector: models.network("detector"),
      landmark: models.network("landmarks"),
      pose: models.network("pose"),
      recogniser: models.network("recogniser", ["feature"]),
    });
  }

  async analyse({ name, image }: StudioPhoto): Promise<AnalysedPhoto> {
    checkPixels(name, image);
    const { width, height } = image;
    const faces = await this.#reader.analyse(image);
    const portraits = faces.map((face) => toPortrait(image, face));
    if (faces.length === 0) {
      return { name, width, height, accepted: false, reason: describeNoFace(image), warnings: [], faces, portraits };
    }
    const { chosen, refused, warnings } = chooseFaces([{ name, faces: portraits }]);
    const common = { name, width, height, faces, portraits, warnings };
    if (chosen.length === 0) return { ...common, accepted: false, reason: refused[0]?.reason };
    return { ...common, accepted: true, chosen: portraits.findIndex(({ face }) => face === chosen[0].face) };
  }

  async encode(photos: readonly AnalysedPhoto[]): Promise<EncodedPerson> {
    const { chosen, refused, warnings } = choose(photos);
    const { encoder, identity: shape } = this.#models.manifest;
    const cuts = chosen.map((face) => this.#cut(face));
    const [values] = await this.#models.run("encoder", await this.#mapsOf(cuts), ["identity"]);
    const strangeness = this.#strangeness(values);
    const notes = {
      encoder,
      photos: photoNotes(chosen),
      ...(strangeness !== undefined && { strangeness }),
      created: new Date().toISOString(),
    };
    return {
      identity: { values, shape, ...notes } satisfies IdentityValues,
      used: cuts.map(({ name, image }) => ({ photo: name, crop: image })),
      refused,
      warnings,
    };
  }

  async attention(photos: readonly AnalysedPhoto[], block: number): Promise<StudioAttention> {
    const { blocks, backbone, identity } = this.#models.manifest;
    if (!Number.isInteger(block) || block < 1 || block > blocks) {
      throw new RangeError(`block ${block}: this encoder has cross-attention blocks 1 to ${blocks}`);
    }
    const { chosen } = choose(photos);
    const cuts = chosen.map((face) => this.#cut(face));
    const [weights] = await this.#models.run("encoder", await this.#mapsOf(cuts), [`attention_${block}`]);
    const report: AttentionReport = attentionReport({ block, photos: cuts, weights, queries: identity[0], backbone });
    return {
      ...report,
      side: backbone.grid.side,
      photos: report.photos.map((photo) => ({ ...photo, maps: photo.maps.map((map) => Float32Array.from(map)) })),
    };
  }

  #cut(face: ChosenFace) {
    const { inputSize } = this.#models.manifest.backbone;
    return { ...face, ...faceCut({ crop: "arcface", inputSize }, face.image, face.face.landmarks) };
  }

  /** What the recogniser makes of crops, one after the other, as the encoder takes it. */
  async #mapsOf(cuts: readonly { image: RgbImage }[]): Promise<Record<"feature" | "middle" | "last", Values>> {
    const network = this.#models.network("recogniser", RECOGNISER_OUTPUTS);
    const seen: Float32Array[][] = [];
    for (const { image } of cuts) {
      const [feature, ...maps] = await network.run(toRecogniser(image), [1, 3, image.height, image.width]);
      seen.push([unit(feature), ...maps]);
    }
    const [feature, middle, last] = [0, 1, 2].map((k) => join(seen.map((one) => one[k])));
    const count = cuts.length;
    return {
      feature: { data: feature, dims: [count, feature.length / count] },
      middle: { data: middle, dims: [count, 128, 14, 14] },
      last: { data: last, dims: [count, 512, 7, 7] },
    };
  }
}

/** Whose faces are meant. @throws when not one photo can be used; the message lists the reasons */
function choose(photos: readonly AnalysedPhoto[]): Choice {
  if (photos.length === 0) throw new Error("no photos given; name at least one photo of the person");
  const faceless = photos.filter(({ portraits }) => portraits.length === 0);
  const choice = chooseFaces(
    photos.filter(({ portraits }) => portraits.length > 0).map(({ name, portraits }) => ({ name, faces: portraits })),
  );
  const refused = [
    ...faceless.map(({ name, reason = "no face found" }) => ({ photo: name, reason })),
    ...choice.refused,
  ];
  if (choice.chosen.length === 0) {
    const reasons = refused.map(({ photo, reason }) => `\n  ${photo}: ${reason}`).join("");
    throw new Error(`none of the ${photos.length} photos can be used:${reasons}`);
  }
  return { ...choice, refused };
}

/** @throws when the pixels are not those of a picture of that size */
function checkPixels(name: string, { width, height, data }: RgbImage): void {
  if (width >= 1 && height >= 1 && data.length === 3 * width * height) return;
  throw new Error(`${name}: ${width}×${height} pixels of RGB are ${3 * width * height} bytes, not ${data.length}`);
}

const toRecogniser = (image: RgbImage) => toPlanes(image, [127, 127, 127], [128, 128, 128]);

function unit(values: Float32Array): Float32Array {
  const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0)) || 1;
  return values.map((value) => value / length);
}

function join(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
