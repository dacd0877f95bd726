import { readdirSync } from "node:fs";
import { join } from "node:path";
import { rocAuc } from "@omni-id/data";
import { FaceAnalyser } from "@omni-id/face";
import { scope, stack, type Tensor, tensor } from "@omni-id/torch";
import { IdentityEncoder, type Refusal, UnusablePhotos } from "../encode.ts";
import { picturesIn } from "../pictures/photo-files.ts";
import type { LoadedEncoder } from "../weights/first-stage.ts";
import { meanFeatures } from "./verification.ts";

export interface VerificationReport {
  /** People with several photos, and those with one, who are only strangers to them. */
  people: { enrolled: number; strangers: number };
  photos: number;
  refused: Refusal[];
  /** ROC AUC: identities of that many photos against identities of one other photo; the recogniser beside it. */
  auc: Record<string, { identity: number; recogniser: number }>;
}

interface Person {
  /** ℓ of each photo alone, compared form, `[D]`. */
  alone: Tensor[];
  features: Tensor[];
  /** Encodes some of the photos together. */
  together: (places: readonly number[]) => Promise<Tensor>;
}

/**
 * How well identity files tell real people apart, on a folder with one folder of photos for each person.
 * @throws when there are fewer than two people, or none with two usable photos
 */
export async function verifyPhotos(
  encoder: LoadedEncoder,
  folder: string,
  { onProgress = () => {} }: { onProgress?: (done: number, total: number) => void } = {},
): Promise<VerificationReport> {
  const maker = await IdentityEncoder.create(encoder);
  const faces = await FaceAnalyser.load();
  const names = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
  const refused: Refusal[] = [];
  const people: Person[] = [];
  for (const [done, name] of names.entries()) {
    const person = await open(maker, faces, join(folder, name), refused);
    if (person.alone.length > 0) people.push(person);
    onProgress(done + 1, names.length);
  }
  const enrolled = people.filter(({ alone }) => alone.length > 1);
  if (people.length < 2 || enrolled.length === 0) {
    const wanted = "one folder for each person, at least two people, at least one of them with two usable photos";
    throw new Error(`${folder}: ${people.length} people with usable photos; wanted: ${wanted}`);
  }
  const auc: VerificationReport["auc"] = {};
  for (const count of [1, 3, 5]) {
    const gallery = enrolled.filter(({ alone }) => alone.length > count);
    if (gallery.length > 0) auc[count] = await compareSets(gallery, people, count);
  }
  return {
    people: { enrolled: enrolled.length, strangers: people.length - enrolled.length },
    photos: people.reduce((sum, { alone }) => sum + alone.length, 0),
    refused,
    auc,
  };
}

async function open(maker: IdentityEncoder, faces: FaceAnalyser, folder: string, refused: Refusal[]): Promise<Person> {
  const { bundle } = maker.encoder;
  const compared = (tokens: Tensor) => scope(() => bundle.compared(tokens.unsqueeze(0)).squeeze(0)).keep();
  const person: { photos: string[]; alone: Tensor[]; features: Tensor[] } = { photos: [], alone: [], features: [] };
  for (const path of picturesIn(folder)) {
    try {
      const { identity, used } = await maker.encode([path]);
      person.photos.push(path);
      person.alone.push(compared(identity.tokens));
      person.features.push(tensor(await faces.recognise(used[0].image, used[0].face.landmarks)).keep());
    } catch (error) {
      if (!(error instanceof UnusablePhotos)) throw error;
      refused.push({ photo: path, reason: error.refused[0].reason });
    }
  }
  return {
    alone: person.alone,
    features: person.features,
    together: async (places) => {
      const { identity } = await maker.encode(places.map((place) => person.photos[place]));
      return compared(identity.tokens);
    },
  };
}

/**
 * Every photo of an enrolled person once as a probe, against sets of `count` of that person's other photos; all
 * photos of everybody else against the same sets.
 */
async function compareSets(gallery: readonly Person[], everybody: readonly Person[], count: number) {
  const positive: Scores = { identity: [], recogniser: [] };
  const negative: Scores = { identity: [], recogniser: [] };
  for (const person of gallery) {
    const total = person.alone.length;
    for (let from = 0; from < total; from++) {
      // The photo itself is the probe; the set are the next ones, going round.
      const places = Array.from({ length: count }, (_, i) => (from + 1 + i) % total);
      const identity = count === 1 ? person.alone[places[0]] : await person.together(places);
      const feature = meanFeatures(stack(person.features), [places]).squeeze(0);
      const score = (other: Person, place: number): [number, number] =>
        scope(() => [identity.mul(other.alone[place]).sum().item(), feature.mul(other.features[place]).sum().item()]);
      push(positive, score(person, from));
      for (const other of everybody) {
        if (other !== person) for (const place of other.alone.keys()) push(negative, score(other, place));
      }
    }
  }
  return {
    identity: rocAuc(positive.identity, negative.identity),
    recogniser: rocAuc(positive.recogniser, negative.recogniser),
  };
}

interface Scores {
  identity: number[];
  recogniser: number[];
}

function push(scores: Scores, [identity, recogniser]: [number, number]): void {
  scores.identity.push(identity);
  scores.recogniser.push(recogniser);
}
