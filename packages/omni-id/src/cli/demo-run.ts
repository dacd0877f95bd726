import { renderPictures } from "@omni-id/data";
import { type AnalysedFace, alignedCrop, type RgbImage, transformPoints } from "@omni-id/face";
import { cat, scope, type Tensor } from "@omni-id/torch";
import { type EncodeResult, IdentityEncoder, type Photo } from "../encode.ts";
import { describeNearness, type Faces, type Nearness, nearness } from "../evaluate/nearness.ts";
import { loadJudges } from "../evaluate/recognisers.ts";
import { faceFeatures } from "../evaluate/reconstruct.ts";
import { drawThreeScenes, saveThreeScenes } from "../generate/demo-scenes.ts";
import { drawPoses, saveGeneratedSheet } from "../generate/demo-sheet.ts";
import type { FaceGenerator } from "../generate/face-generator.ts";
import type { SceneGenerator } from "../generate/scene-generator.ts";
import type { Identity } from "../identity.ts";
import type { MaskedDecoder } from "../masked-decoder.ts";
import { saveSheet, toRgb } from "../pictures/picture.ts";
import { rgbBatch, toUnit } from "../pictures/rgb-batch.ts";
import { MaskedTarget } from "../reconstruct.ts";
import type { LoadedEncoder } from "../weights/first-stage.ts";

/** Seed of the demo's people; the shipped weights were trained on those of another seed. */
const DEMO_SEED = 20_241_213;
const DEMO_SIZE = 256;
const MOST_TARGETS = 3;

export interface DemoOptions {
  encoder: LoadedEncoder;
  decoder: MaskedDecoder;
  /** Draws new pictures of the person too; without it there is one sheet only. */
  generator?: FaceGenerator;
  /** Where these go. */
  generatedOut?: string;
  /** Draws the person in scenes too. */
  scenes?: SceneGenerator;
  /** Where these go. */
  scenesOut?: string;
  /** Photos of one person; people that the renderer draws when empty. */
  photos: readonly string[];
  /** Which rendered person. */
  person?: number;
  out: string;
  onProgress?: (what: string) => void;
}

export interface DemoResult {
  identity: Identity;
  refused: EncodeResult["refused"];
  warnings: string[];
  /** Means over the targets, by column. */
  figures: Record<string, { l1: number; independent: number; backbone: number }>;
  /** How near the drawn person comes; absent where nobody was drawn. */
  near: Nearness | undefined;
  lines: string[];
}

interface Taken {
  photo: string;
  image: RgbImage;
  face: AnalysedFace;
}

/** The main job: photos of one person in, one identity out, and what it is worth on a contact sheet. */
export async function demo(options: DemoOptions): Promise<DemoResult> {
  const { encoder, decoder, photos, person = 0, out, onProgress = () => {} } = options;
  const own = photos.length > 0;
  onProgress(own ? `reading ${photos.length} photos` : "rendering two people nobody has seen");
  const maker = await IdentityEncoder.create(encoder);
  const all = await maker.encode(own ? photos : await rendered(2 * person, 8));
  const other = await maker.encode(await rendered(2 * person + 1, 3));

  const { inputs, targets, shared } = divide(all.used);
  onProgress("encoding");
  const counts = [1, 3, 5].filter((count, i) => i === 0 || count <= inputs.length);
  const identities: { column: string; identity: Identity }[] = [];
  for (const count of counts) {
    const { identity } = await maker.encode(asPhotos(inputs.slice(0, count)));
    identities.push({ column: `from ${count} photo${count > 1 ? "s" : ""}`, identity });
  }
  identities.push({ column: "somebody else's\nidentity", identity: other.identity });

  onProgress("reconstructing");
  const { mtd } = encoder.preset;
  const { imageSize } = mtd;
  const masked = targets.map(
    ({ image, face }, i) =>
      new MaskedTarget(image, face.landmarks, {
        decoder,
        imageSize,
        maskRatio: mtd.maskRatio,
        tokens: mtd.tokens,
        seed: i,
      }),
  );
  const made = identities.map(({ identity }) => masked.map((target) => target.reconstruct(identity.tokens).keep()));
  const figures = measure(
    masked,
    Object.fromEntries(identities.map(({ column }, i) => [column.replace("\n", " "), made[i]])),
  );

  const tile = (taken: Taken | undefined) =>
    taken
      ? toRgb(
          new MaskedTarget(taken.image, taken.face.landmarks, { decoder, imageSize, maskRatio: 0.95 }).truth.squeeze(0),
        )
      : null;
  const rows = masked.map((target, row) => [
    ...[0, 1, 2].map((i) => tile(inputs[(row * 3 + i) % 5] ?? (row === 0 ? inputs[i] : undefined))),
    toRgb(target.truth.squeeze(0)),
    toRgb(target.visible().squeeze(0)),
    ...made.map((pictures) => toRgb(target.paste(pictures[row]).squeeze(0))),
  ]);
  const lines = describe(figures, shared);
  await saveSheet(out, {
    title: own
      ? "Your photos → one identity → the same person in another photo"
      : "A person never seen before → one identity",
    columns: [
      "inputs",
      "",
      "",
      shared ? "target (also\nthe input)" : "target\n(never given)",
      "its 5 %\nvisible patches",
      ...identities.map(({ column }) => column),
    ],
    rows,
    notes: lines,
    tile: 128,
  });
  const { generator, generatedOut } = options;
  let near: Nearness | undefined;
  if (generator && generatedOut) {
    onProgress("drawing new pictures from noise");
    const most = counts.length - 1;
    const { identity } = identities[most];
    // As `generate` would draw the person; the other one for comparison with the same guidance.
    const guidance = generator.guidanceFor(identity.tokens);
    const drawn = drawPoses(generator, identity, { guidance });
    const strange = drawPoses(generator, other.identity, { guidance });
    const photos = facesOf(targets, generator.imageSize);
    near = nearness(loadJudges().independent, { drawn, other: strange, photos });
    const sentence = describeNearness(near, own ? "your photos" : "the person's pictures");
    lines.push(sentence);
    const shown = (some: readonly Taken[]) => [0, 1, 2].map((i) => tile(some[i]));
    const rows = [
      { inputs: shown(inputs), drawn },
      { inputs: shown(inputs), drawn: drawPoses(generator, identity, { again: 1, guidance }) },
      { inputs: shown(other.used), drawn: strange },
    ];
    await saveGeneratedSheet(generatedOut, rows, { photos: counts[most], guidance, notes: [sentence] });
  }
  const { scenes, scenesOut } = options;
  if (scenes && scenesOut) {
    onProgress("drawing scenes from noise and words");
    const people = [
      { taken: inputs, identity: identities[counts.length - 1].identity },
      { taken: other.used, identity: other.identity },
      { taken: [], identity: undefined },
    ];
    const rows = people.map(({ taken, identity }) => ({
      inputs: [0, 1, 2].map((i) => tile(taken[i])),
      drawn: drawThreeScenes(scenes, identity),
    }));
    await saveThreeScenes(scenesOut, rows, { photos: counts[counts.length - 1] });
  }
  return { identity: all.identity, refused: all.refused, warnings: all.warnings, figures, near, lines };
}

/** Photos as the generator draws: aligned. */
function facesOf(taken: readonly Taken[], size: number): Faces {
  const cut = taken.map(({ image, face }) => alignedCrop(image, face.landmarks, size));
  return {
    pictures: scope(() => toUnit(rgbBatch(cut.map((crop) => crop.image)))),
    landmarks: cut.map(({ matrix }, i) => transformPoints(taken[i].face.landmarks, matrix)),
  };
}

async function rendered(identity: number, count: number): Promise<Photo[]> {
  const { images } = await renderPictures({ seed: DEMO_SEED, identity, images: count, size: DEMO_SIZE });
  return images.map(({ image }, i) => ({ name: `rendered person ${identity}, picture ${i + 1}`, image }));
}

const asPhotos = (taken: readonly Taken[]): Photo[] => taken.map(({ photo, image }) => ({ name: photo, image }));

/** Up to five inputs, up to three targets that are none of them; a single photo has to be both. */
function divide(used: readonly Taken[]): { inputs: Taken[]; targets: Taken[]; shared: boolean } {
  if (used.length === 1) return { inputs: [...used], targets: [...used], shared: true };
  const inputs = Math.min(5, used.length - 1);
  return { inputs: used.slice(0, inputs), targets: used.slice(inputs, inputs + MOST_TARGETS), shared: false };
}

function measure(targets: readonly MaskedTarget[], columns: Readonly<Record<string, Tensor[]>>): DemoResult["figures"] {
  return scope(() => {
    const judges = loadJudges();
    const join = (pick: (target: MaskedTarget) => Tensor) => cat(targets.map(pick));
    const [truth, masks, points] = [join((t) => t.truth), join((t) => t.mask), join((t) => t.points)];
    const average = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const rows = Object.entries(columns).map(([column, pictures]) => {
      const likeness = (judge: (typeof judges)["independent"]) => {
        const features = (faces: Tensor) => faceFeatures(faces, masks, points, judge.embed);
        return average(judge.compare(features(cat(pictures)), features(truth)));
      };
      const l1 = average(targets.map((target, i) => target.l1(pictures[i])));
      return [column, { l1, independent: likeness(judges.independent), backbone: likeness(judges.backbone) }] as const;
    });
    return Object.fromEntries(rows);
  });
}

function describe(figures: DemoResult["figures"], shared: boolean): string[] {
  const columns = Object.entries(figures);
  const row = (name: string, of: (figure: (typeof figures)[string]) => string) =>
    `${name}: ${columns.map(([column, figure]) => `${column} ${of(figure)}`).join(" · ")}`;
  return [
    row("L1 inside the face (pixels 0…1, lower is closer)", ({ l1 }) => l1.toFixed(4)),
    row("independent recogniser's distance (lower is closer)", ({ independent }) => independent.toFixed(3)),
    row("backbone's recogniser, cosine (higher is closer)", ({ backbone }) => backbone.toFixed(3)),
    "Inside the face every pixel is the decoder's; around the face the target is pasted in.",
    ...(shared ? ["Only one photo was usable: it is input and target at once. Give two or more for a real test."] : []),
  ];
}
