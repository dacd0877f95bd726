import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { bootstrapAuc, type ScoredPair } from "@omni-id/data";
import { FaceAnalyser } from "@omni-id/face";
import { noGrad, scope, stack, type Tensor, tensor } from "@omni-id/torch";
import { IdentityEncoder, type Refusal, UnusablePhotos } from "../encode.ts";
import { faceInput } from "../pictures/face-input.ts";
import { picturesIn } from "../pictures/photo-files.ts";
import { rgbBatch, toUnit } from "../pictures/rgb-batch.ts";
import type { EncoderBundle, LoadedEncoder } from "../weights/first-stage.ts";
import { meanFeatures, type VerificationRows } from "./verification.ts";

export interface VerificationReport {
  /** People with several photos, and those with one, who are only strangers to them. */
  people: { enrolled: number; strangers: number };
  photos: number;
  refused: Refusal[];
  /**
   * ROC AUC by count of enrolled photos: identities of that many photos against one other photo, by three features.
   * `enrolled`: people who have one photo more than that.
   */
  verification: Record<string, VerificationRows & { enrolled: number }>;
}

type Feature = keyof VerificationRows;

/** Features of some sets of photos, a row each, of length 1. */
type Features = Record<Feature, Tensor>;

interface Person {
  photos: number;
  /** Of sets of the person's photos, by place. */
  features: (sets: readonly (readonly number[])[]) => Features;
}

/**
 * How well identity files tell real people apart, on a folder with one folder of photos for each person. A file that
 * lies there twice is taken once: no pair that is compared shares a photo.
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
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
    .map(({ name }) => name)
    .sort();
  const album: Album = { maker, faces, refused: [], seen: new Map() };
  const people: Person[] = [];
  for (const [done, name] of names.entries()) {
    const person = await open(album, join(folder, name));
    if (person) people.push(person);
    onProgress(done + 1, names.length);
  }
  const enrolled = people.filter(({ photos }) => photos > 1).length;
  if (people.length < 2 || enrolled === 0) {
    const wanted = "one folder for each person, at least two people, at least one of them with two usable photos";
    throw new Error(`${folder}: ${people.length} people with usable photos; wanted: ${wanted}`);
  }
  return {
    people: { enrolled, strangers: people.length - enrolled },
    photos: people.reduce((sum, { photos }) => sum + photos, 0),
    refused: album.refused,
    verification: compareAll(people, encoder.bundle.encoder.carriedTokens > 0),
  };
}

interface Album {
  maker: IdentityEncoder;
  faces: FaceAnalyser;
  refused: Refusal[];
  /** Photos that were taken, by a hash of their bytes. */
  seen: Map<string, string>;
}

/** A person's usable photos; `undefined` where there are none. */
async function open({ maker, faces, refused, seen }: Album, folder: string): Promise<Person | undefined> {
  const { bundle } = maker.encoder;
  const crops: Tensor[] = [];
  const features: Tensor[] = [];
  const { files, leftOut } = picturesIn(folder);
  refused.push(...leftOut.map(({ file, reason }) => ({ photo: file, reason })));
  for (const photo of files) {
    const hash = createHash("sha256").update(readFileSync(photo)).digest("hex");
    const twin = seen.get(hash);
    if (twin) {
      refused.push({ photo, reason: `the same file as ${twin}` });
      continue;
    }
    try {
      const [{ image, face }] = (await maker.encode([photo])).used;
      seen.set(hash, photo);
      const crop = faceInput(bundle.encoder.backbone, image, face.landmarks);
      crops.push(scope(() => toUnit(rgbBatch([crop])).squeeze(0)).keep());
      features.push(tensor(await faces.recognise(image, face.landmarks)).keep());
    } catch (error) {
      if (!(error instanceof UnusablePhotos)) throw error;
      refused.push({ photo, reason: error.refused[0].reason });
    }
  }
  return crops.length > 0 ? enroll(bundle, crops, features) : undefined;
}

function enroll(bundle: EncoderBundle, crops: readonly Tensor[], features: readonly Tensor[]): Person {
  const [tokens, own] = scope(() =>
    noGrad(() => [bundle.encoder.backbone.forward(stack(crops)), stack(features)] as const),
  ).map((kept) => kept.keep());
  for (const crop of crops) crop.dispose();
  return {
    photos: crops.length,
    features: (sets) =>
      noGrad(() =>
        scope(() => {
          const rows = tensor(sets.flat(), { dtype: "int64" });
          const z = tokens.indexSelect(0, rows).reshape([sets.length, -1, tokens.shape[2]]);
          const identities = bundle.encoder.fromTokens(z).float();
          return {
            recogniser: meanFeatures(own, sets),
            carried: bundle.carriedPart(identities),
            learnt: bundle.learntPart(identities),
          };
        }),
      ),
  };
}

function compareAll(people: readonly Person[], carries: boolean): VerificationReport["verification"] {
  const each = (person: Person) => Array.from({ length: person.photos }, (_, place) => place);
  const probes = people.map((person) => person.features(each(person).map((place) => [place])));
  const report: VerificationReport["verification"] = {};
  for (const count of [1, 3, 5]) {
    const enrolled = people.filter(({ photos }) => photos > count);
    if (enrolled.length === 0) continue;
    // Each photo once as the probe; the set are the next ones, going round.
    const sets = (person: Person) =>
      each(person).map((probe) => Array.from({ length: count }, (_, i) => (probe + 1 + i) % person.photos));
    const gallery = people.map((person) => (enrolled.includes(person) ? person.features(sets(person)) : undefined));
    const auc = (by: Feature) => bootstrapAuc(pairsOf(gallery, probes, by), people.length);
    const carried = carries ? { carried: auc("carried") } : {};
    report[count] = { enrolled: enrolled.length, recogniser: auc("recogniser"), ...carried, learnt: auc("learnt") };
  }
  return report;
}

/** Set `i` of a person with that person's photo `i`, and with every photo of everybody else. */
function pairsOf(gallery: readonly (Features | undefined)[], probes: readonly Features[], by: Feature): ScoredPair[] {
  return gallery.flatMap((own, person) => {
    if (!own) return [];
    return probes.flatMap((others, other) => {
      const scores = scope(() => own[by].matmul(others[by].transpose(0, 1)).tolist() as number[][]);
      return scores.flatMap((row, set): ScoredPair[] =>
        other === person
          ? [{ score: row[set], gallery: person, probe: person }]
          : row.map((score) => ({ score, gallery: person, probe: other })),
      );
    });
  });
}
