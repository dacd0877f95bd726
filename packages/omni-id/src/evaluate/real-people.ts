import { bootstrapOver, type Estimate, type Groups, meanOf, type Provenance, provenance } from "@omni-id/data";
import { IndependentRecogniser } from "@omni-id/face";
import { noGrad, scope, stack, type Tensor } from "@omni-id/torch";
import type { FaceGenerator } from "../generate/face-generator.ts";
import { chunk } from "../people/chunk.ts";
import type { People } from "../people/people.ts";
import { toUnit } from "../pictures/rgb-batch.ts";
import { drawTasks, identitiesOf } from "./draw-tasks.ts";
import { DrawnPictures } from "./drawn-pictures.ts";
import { differencesOf, estimates } from "./figures.ts";
import { frechetDistance, pictureFeatures } from "./frechet.ts";
import { type FoundFace, findFaces, pointsOf, poseDifference } from "./generated-faces.ts";
import { type GenerationTask, generationTasks, rowsOf } from "./generation-protocol.ts";
import { type Drawn, type DrawnLikeness, judged, photosOf } from "./likeness-to-people.ts";
import { type CountKey, eachCount, INPUT_COUNTS } from "./protocol.ts";
import { type Judge, loadJudges } from "./recognisers.ts";

type Bounds = "otherIdentity" | "samePerson" | "otherPerson";

/** How near what is drawn of people comes to them, less what anybody's picture would, and how real it looks. */
export interface RealPeopleReport extends Provenance {
  weights: { encoder: string; base: string };
  /** People who were tested, and pictures drawn at each count. */
  people: number;
  targets: number;
  /** Different photos that went into an identity, in the mean: many people have fewer than are asked for. */
  photos: Record<CountKey, number>;
  guidance: number;
  steps: number;
  /** Whether the target's landmarks were given. */
  landmarks: boolean;
  /** Share of pictures from three photos in which the detector finds a face; of real ones too. */
  found: number;
  foundReal: number;
  /** Of the judge, lower is nearer; `otherIdentity`: drawn from somebody else's three photos. */
  distance: Record<CountKey | Bounds, Estimate>;
  /** (otherIdentity − drawn) / (otherPerson − samePerson): what of the way is the person's own. */
  net: Record<CountKey, Estimate>;
  /** Paired differences of the distance. */
  differences: Record<string, Estimate>;
  /** How often the right one of all people comes first. */
  firstOf: Record<CountKey, Estimate> & { realPhoto: Estimate; chance: number };
  /** |Δyaw| + |Δpitch| + |Δroll| to the target, degrees; between two photos of a person. */
  poseError: Estimate;
  poseBetweenPhotos: Estimate;
  /**
   * Fréchet distance to real crops of other people: of what is drawn from three photos, of what the base draws of nobody,
   * of the targets there and back through the latents, and of the targets themselves.
   */
  frechet: Record<"drawn" | "base" | "roundTrip" | "real", number>;
}

export interface RealPeopleOptions {
  generator: FaceGenerator;
  /** People that the weights have never seen. */
  people: People;
  /** Real crops of other people, `[M, 3, S, S]` in [−1, 1]. */
  others: Tensor;
  /** The independent recogniser when absent. */
  judge?: Judge;
  /** What `generate` takes for most of these people when absent. */
  guidance?: number;
  steps: number;
  landmarks: boolean;
  seed: number;
  /** Folder of pictures that an interrupted measurement has drawn; nothing is kept when absent. */
  keep?: string;
  onProgress?: (what: string) => void;
}

export interface RealPeopleResult {
  report: RealPeopleReport;
  tasks: GenerationTask[];
  pictures: Record<CountKey | "otherIdentity" | "bareBase", Tensor>;
}

const DRAWN = ["1", "3", "5", "otherIdentity"] as const;

/** Measures likeness and realness of what is drawn of held-out people. */
export async function evaluateRealPeople(options: RealPeopleOptions): Promise<RealPeopleResult> {
  const { generator, people, others, steps, landmarks, seed, onProgress = () => {} } = options;
  const tasks = generationTasks(people);
  const targets = tasks.map(({ target }) => target);
  const { base, decoder } = generator;
  const modules = [base.base, decoder, ...(generator.hasControl ? [generator.control] : [])];
  const common = { generator, people, tasks, steps, seed, drawn: new DrawnPictures(options.keep, modules) };
  const identities = identitiesOf(common);
  const guidance = options.guidance ?? usualGuidance(generator, identities[3]);
  const drawable = (tokens: Tensor) => scope(() => stack(tokens.unbind(0).map((one) => generator.drawable(one))));
  const draw = (name: string, tokens: Tensor | undefined) => {
    onProgress(`drawing ${tasks.length} pictures: ${name}`);
    return drawTasks(common, tokens && drawable(tokens), { landmarks, guidance }).keep();
  };
  const pictures = {
    ...eachCount((count) => draw(`${count} photos`, identities[count])),
    otherIdentity: draw("somebody else's identity", identities.otherIdentity),
    bareBase: draw("nobody", undefined),
  };

  onProgress("looking for faces");
  const photos = photosOf(people);
  const real = scope(() => toUnit(rowsOf(people.crops, targets))).keep();
  const points = rowsOf(people.points, targets);
  const seen = await findFaces(scope(() => toUnit(rowsOf(people.crops, photos.rows))));
  const realFaces = targets.map((row) => seen[photos.place(row)]);
  // With landmarks the face lies where the target's does; else it is looked for.
  const looked = landmarks ? (["3"] as const) : DRAWN;
  const faces: Partial<Record<Drawn, (FoundFace | undefined)[]>> = {};
  for (const name of looked) faces[name] = await findFaces(pictures[name]);

  onProgress("judging");
  const judge = options.judge ?? loadJudges().independent;
  const { likeness, firsts } = judged({ people, tasks, judge, photos }, (name) => ({
    pictures: pictures[name],
    points: landmarks ? points : pointsOf(faces[name] ?? [], points),
  }));
  const pose = (between: (task: number) => number | undefined) => poses(people, tasks, between);
  const drawnFaces = faces[3] ?? [];
  const report: RealPeopleReport = {
    ...provenance(seed),
    weights: { encoder: generator.encoder.name, base: base.hash.slice(0, 12) },
    people: people.ids.length,
    targets: tasks.length,
    photos: eachCount((count) => round(meanPhotos(tasks, count))),
    guidance,
    steps,
    landmarks,
    found: share(drawnFaces),
    foundReal: share(realFaces),
    distance: estimates(likeness),
    net: eachCount((count) => netShare(likeness, `${count}`)),
    differences: differencesOf(likeness, [
      ["3", "1"],
      ["5", "1"],
      ["otherIdentity", "3"],
    ]),
    firstOf: { ...estimates(firsts), chance: 1 / people.ids.length },
    poseError: pose((task) => {
      const [made, truth] = [drawnFaces[task]?.pose, realFaces[task]?.pose];
      return made && truth && poseDifference(made, truth);
    }),
    poseBetweenPhotos: pose((task) => {
      const first = people.poseOf(tasks[task].inputs[0]);
      return poseDifference({ ...first, roll: 0 }, { ...people.poseOf(targets[task]), roll: 0 });
    }),
    frechet: scope(() => noGrad(() => realness({ generator, others, real, pictures }))),
  };
  return { report, tasks, pictures };
}

/** The middle one of what `generate` takes for each identity. */
function usualGuidance(generator: FaceGenerator, identities: Tensor): number {
  const each = scope(() => identities.unbind(0).map((one) => generator.guidanceFor(one)));
  return each.toSorted((a, b) => a - b)[Math.floor(each.length / 2)];
}

const round = (value: number) => Number(value.toPrecision(4));
const share = (faces: readonly unknown[]) => faces.filter(Boolean).length / faces.length;

function meanPhotos(tasks: readonly GenerationTask[], count: number): number {
  const different = tasks.map(({ inputs }) => new Set(inputs.slice(0, count)).size);
  return different.reduce((sum, value) => sum + value, 0) / tasks.length;
}

/**
 * What of the way from a stranger to the person belongs to the person, with its interval over people: how much nearer
 * than what is drawn from somebody else's identity, over that way.
 */
export function netShare(values: DrawnLikeness, count: CountKey): Estimate {
  const of = (groups: Groups) => meanOf(groups);
  const [made, other] = [of(values[count]), of(values.otherIdentity)];
  const [same, stranger] = [of(values.samePerson), of(values.otherPerson)];
  return bootstrapOver(values[count].length, (drawn) => (other(drawn) - made(drawn)) / (stranger(drawn) - same(drawn)));
}

function poses(people: People, tasks: readonly GenerationTask[], of: (task: number) => number | undefined): Estimate {
  const each = chunk([...tasks.keys()].map(of), tasks.length / people.ids.length);
  const groups = each.map((some) => some.filter((value) => value !== undefined)).filter((some) => some.length > 0);
  return bootstrapOver(groups.length, meanOf(groups));
}

function realness({
  generator: { base },
  others,
  real,
  pictures,
}: Pick<RealPeopleOptions, "generator" | "others"> & {
  real: Tensor;
  pictures: RealPeopleResult["pictures"];
}): RealPeopleReport["frechet"] {
  const recogniser = IndependentRecogniser.load();
  const reference = pictureFeatures(recogniser, others);
  const away = (some: Tensor) => frechetDistance(pictureFeatures(recogniser, some), reference);
  return {
    drawn: away(pictures[3]),
    base: away(pictures.bareBase),
    roundTrip: away(base.base.pictures(base.base.tokens(real))),
    real: away(real),
  };
}

/** The report as lines for a person. */
export function describeRealPeople(report: RealPeopleReport): string[] {
  const { distance, net, found, foundReal, firstOf: first, poseError, poseBetweenPhotos, frechet, photos } = report;
  const percent = (value: number) => `${Math.round(100 * value)} %`;
  const counts = (of: (key: CountKey) => string) => INPUT_COUNTS.map((count) => of(`${count}`)).join(" / ");
  const within = ({ mean, ci }: Estimate) => `${percent(mean)} (${Math.round(100 * ci[0])}–${Math.round(100 * ci[1])})`;
  return [
    `${report.people} people never seen in training, ${report.targets} pictures a column, guidance ${report.guidance}, ${report.steps} steps, ${report.landmarks ? "the target's landmarks given" : "no landmarks"}`,
    `photos in the mean, where 1 / 3 / 5 were asked for: ${counts((key) => photos[key].toFixed(1))}`,
    `distance of the independent recogniser: ${counts((key) => distance[key].mean.toFixed(3))} · somebody else's identity ${distance.otherIdentity.mean.toFixed(3)} · real photos: same person ${distance.samePerson.mean.toFixed(3)}, stranger ${distance.otherPerson.mean.toFixed(3)}`,
    `of the way from stranger to person, the person's own: ${counts((key) => within(net[key]))}`,
    `the right one of ${report.people} comes first: ${counts((key) => percent(first[key].mean))} (a real photo ${percent(first.realPhoto.mean)}, chance ${percent(first.chance)})`,
    `faces found in ${percent(found)} (real ${percent(foundReal)}) · pose error ${poseError.mean.toFixed(1)}° (two photos of a person ${poseBetweenPhotos.mean.toFixed(1)}°)`,
    `Fréchet distance to real crops of others: drawn ${frechet.drawn.toFixed(4)} · the base alone ${frechet.base.toFixed(4)} · through the latents ${frechet.roundTrip.toFixed(4)} · real ${frechet.real.toFixed(4)}`,
  ];
}
