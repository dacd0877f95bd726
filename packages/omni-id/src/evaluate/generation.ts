import { bootstrap, type Estimate, type Provenance, provenance } from "@omni-id/data";
import type { Pose } from "@omni-id/face";
import { noGrad, scope, type Tensor } from "@omni-id/torch";
import type { FaceGenerator } from "../generate/face-generator.ts";
import { chunk } from "../people/chunk.ts";
import type { People } from "../people/people.ts";
import { toUnit } from "../pictures/rgb-batch.ts";
import { colourIdentities } from "./colour-only.ts";
import { drawTasks, identitiesOf } from "./draw-tasks.ts";
import { DrawnPictures } from "./drawn-pictures.ts";
import {
  type Against,
  closedWay,
  compareReports,
  differencesOf,
  estimates,
  type OtherReport,
  type PerPerson,
  perPerson,
  type Values,
} from "./figures.ts";
import { type FoundFace, findFaces, pointsOf, poseDifference } from "./generated-faces.ts";
import { copyPasteScores, firstOf, type GeneratedOrReal, likenessOf, withoutOutliers } from "./generation-likeness.ts";
import { GENERATED, type Generated, type GenerationTask, generationTasks, rowsOf } from "./generation-protocol.ts";
import { type CountKey, nextPhoto } from "./protocol.ts";
import { type Judge, type Judges, loadJudges } from "./recognisers.ts";

/** One recogniser's word on the pictures against their targets, with its own bounds. */
export type GenerationRecogniser = { measure: Judge["measure"] } & Record<GeneratedOrReal, Estimate>;

export interface GenerationReport extends Provenance {
  weights: { encoder: string; base: string };
  identities: number;
  targets: number;
  guidance: number;
  steps: number;
  /** By name: `independent`, `backbone`, and whom `--judge` brought. */
  recognisers: Judges<GenerationRecogniser>;
  /** Share of the way from otherPerson to samePerson, independent recogniser. */
  closed: Record<CountKey, Estimate>;
  /** Paired differences between conditions on the independent recogniser, and of firstOf. */
  differences: { independent: Record<string, Estimate>; firstOf: Record<string, Estimate> };
  /** How often the right one of all `people` is nearest (independent recogniser), in one gallery for all counts. */
  firstOf: Record<CountKey, Estimate> & { realPhoto: Estimate; people: number; chance: number };
  /** Three photos; above 0: nearer to the reference photo than to the person in the target's state. */
  copyPaste: { all: Estimate; withoutOutliers: Estimate; outliers: number; reference: string };
  /** Absolute yaw + pitch + roll, degrees. */
  poseDegrees: Record<"controlled" | "uncontrolled" | "estimator" | "groundTruthPairs", Estimate>;
  /** Share of pictures in which the detector finds a face. */
  detected: { generated: number; real: number };
  /** Likeness without landmarks and without guidance, three photos. */
  uncontrolled: Estimate;
  withoutGuidance: Estimate;
  colourOnly?: { independent: Estimate; backbone: Estimate; firstOf: Estimate };
  perPerson: PerPerson;
  /** Paired differences to another report of the same people. */
  against?: Against;
  notes: string[];
}

export interface GenerationOptions {
  generator: FaceGenerator;
  /** People that the weights have never seen. */
  people: People;
  /** Opens the training people, for `colourOnly`; asked for when all else is measured. */
  training?: () => Promise<People>;
  /** The two judges when absent. */
  judges?: Judges<Judge>;
  against?: OtherReport;
  guidance: number;
  steps: number;
  seed: number;
  /** Folder of pictures that an interrupted evaluation has drawn; nothing is kept when absent. */
  keep?: string;
  onProgress?: (what: string) => void;
}

export interface GenerationResult {
  report: GenerationReport;
  tasks: GenerationTask[];
  pictures: Record<Generated, Tensor>;
}

const NOTES = [
  "Every picture is drawn from noise: of the target only its 68 landmarks are given, as lines; no pixel of it.",
  "independent: dlib's 128-d network, distance, lower is closer; never trained through. backbone: the recogniser that is also the encoder's backbone and part of the loss; it flatters these results.",
  "samePerson: another real photo of the person; otherPerson: a real photo of somebody else; identityRemoved: the training people's mean identity; otherIdentity: another person's; bareBase: landmarks alone.",
  "firstOf: a person is the mean feature of the photos that are neither an input at any count nor the target; chance is one of `people`.",
  "copyPaste: (θ(g, t) − θ(g, r)) / θ(t, r) by the independent recogniser, g the picture from three photos, t the target, r the first input photo (an input at every count, chosen before anybody looks at the picture); 0 where θ(t, r) < 1e-6. withoutOutliers drops scores beyond 1.5 quartile distances.",
  "Intervals: 95 %, bootstrap over people; a difference is paired: both sides of the same people.",
  "poseDegrees: the pose model's reading of the picture against its reading of the target; estimator: its reading of real pictures against the renderer's truth (yaw and pitch; aligned pictures have no roll).",
];
const PAIRS = [
  ["3", "1"],
  ["5", "1"],
  ["identityRemoved", "3"],
  ["otherIdentity", "3"],
  ["bareBase", "3"],
] as const;

type FirstOf = CountKey | "realPhoto";

/** Measures generation on held-out people: likeness, copying, pose, detection. */
export async function evaluateGeneration(options: GenerationOptions): Promise<GenerationResult> {
  const { generator, people, training, guidance, steps, seed, against, onProgress = () => {} } = options;
  const tasks = generationTasks(people);
  const targets = tasks.map(({ target }) => target);
  const { base, decoder, control } = generator;
  const drawn = new DrawnPictures(options.keep, [base.base, decoder, control]);
  const common = { generator, people, tasks, steps, seed, drawn };
  const identities = identitiesOf(common);
  const draw = (name: string, tokens: Tensor | undefined, how: { landmarks: boolean; guidance?: number }) => {
    onProgress(`drawing ${tasks.length} pictures: ${name}`);
    return drawTasks(common, tokens, { guidance, ...how }).keep();
  };
  const pictures = {} as Record<Generated, Tensor>;
  for (const name of GENERATED) {
    pictures[name] = draw(name, name === "bareBase" ? undefined : identities[name], { landmarks: true });
  }
  const uncontrolled = draw("3 photos, no landmarks", identities[3], { landmarks: false });
  const plain = draw("3 photos, no guidance", identities[3], { landmarks: true, guidance: 1 });

  onProgress("looking for faces");
  const real = scope(() => toUnit(rowsOf(people.crops, targets))).keep();
  const faces = {
    real: await findFaces(real),
    controlled: await findFaces(pictures[3]),
    uncontrolled: await findFaces(uncontrolled),
  };

  onProgress("judging");
  const judges = options.judges ?? loadJudges();
  const points = rowsOf(people.points, targets);
  const measure = { people, tasks, judges };
  const quietly = <T>(measured: () => T) => scope(() => noGrad(measured));
  const likeness = quietly(() => likenessOf(measure, pictures, points));
  const three = (made: Tensor, where: Tensor) => quietly(() => likenessOf(measure, { "3": made }, where));
  const first = (made: Tensor) => quietly(() => firstOf(measure, made, points));
  const inputs = tasks.map(({ inputs }) => inputs[0]);
  const firsts: Values<FirstOf> = {
    "1": first(pictures[1]),
    "3": first(pictures[3]),
    "5": first(pictures[5]),
    realPhoto: first(scope(() => toUnit(rowsOf(people.crops, inputs)))),
  };
  const { independent } = likeness;
  const copied = quietly(() => copyPasteScores(measure, pictures[3], points));
  const kept = withoutOutliers(copied);
  const plainly: Values = {
    uncontrolled: three(uncontrolled, pointsOf(faces.uncontrolled, points)).independent[3],
    withoutGuidance: three(plain, points).independent[3],
  };
  const colours = training && measureColours(await training());
  const each = perPerson(people, { ...likeness, firstOf: firsts, ...(colours && { colourOnly: colours }) });
  const { uncontrolled: free, withoutGuidance } = estimates(plainly);

  const report: GenerationReport = {
    ...provenance(seed),
    weights: { encoder: generator.encoder.name, base: generator.base.hash.slice(0, 12) },
    identities: people.ids.length,
    targets: tasks.length,
    guidance,
    steps,
    recognisers: Object.fromEntries(
      Object.entries(likeness).map(([name, values]) => [name, { measure: judges[name].measure, ...estimates(values) }]),
    ) as GenerationReport["recognisers"],
    closed: closedWay(independent),
    differences: {
      independent: differencesOf<string>(
        { ...independent, ...plainly, ...(colours && { colourOnly: colours.independent }) },
        [...PAIRS, ["uncontrolled", "3"], ["withoutGuidance", "3"], ...(colours ? [["colourOnly", "3"] as const] : [])],
      ),
      firstOf: differencesOf<string>({ ...firsts, ...(colours && { colourOnly: colours.firstOf }) }, [
        ["3", "1"],
        ["5", "1"],
        ...(colours ? [["colourOnly", "3"] as const] : []),
      ]),
    },
    firstOf: { ...estimates(firsts), people: people.ids.length, chance: 1 / people.ids.length },
    copyPaste: {
      all: bootstrap(copied),
      withoutOutliers: bootstrap(kept),
      outliers: copied.flat().length - kept.flat().length,
      reference: "the first input photo",
    },
    poseDegrees: poseErrors(people, tasks, faces),
    detected: {
      generated: faces.controlled.filter(Boolean).length / tasks.length,
      real: faces.real.filter(Boolean).length / tasks.length,
    },
    uncontrolled: free,
    withoutGuidance,
    ...(colours && { colourOnly: estimates(colours) }),
    ...(against && { against: compareReports(each, against) }),
    perPerson: each,
    notes: NOTES,
  };
  return { report, tasks, pictures };

  /** Pictures from identities that know skin and hair colour alone. */
  function measureColours(training: People): Values<"independent" | "backbone" | "firstOf"> {
    const sets = tasks.map(({ inputs }) => inputs.slice(0, 3));
    const identities = quietly(() => colourIdentities(generator.encoder.bundle.encoder, training, people, sets)).keep();
    const made = draw("colours only", identities, { landmarks: true });
    const { independent, backbone } = three(made, points);
    return { independent: independent[3], backbone: backbone[3], firstOf: first(made) };
  }
}

type Faces = Record<"real" | "controlled" | "uncontrolled", (FoundFace | undefined)[]>;

function poseErrors(people: People, tasks: readonly GenerationTask[], faces: Faces): GenerationReport["poseDegrees"] {
  const size = tasks.length / people.ids.length;
  const targets = tasks.map(({ target }) => target);
  const estimate = (difference: (task: number) => number | undefined) => {
    const each = tasks.map((_, task) => difference(task));
    const groups = chunk(each, size).map((some) => some.filter((value) => value !== undefined));
    return bootstrap(groups.filter((some) => some.length > 0));
  };
  const between = (a: FoundFace | undefined, b: FoundFace | undefined) => a && b && poseDifference(a.pose, b.pose);
  const truth = (task: number): Pose => people.poseOf(tasks[task].target);
  return {
    controlled: estimate((task) => between(faces.controlled[task], faces.real[task])),
    uncontrolled: estimate((task) => between(faces.uncontrolled[task], faces.real[task])),
    estimator: estimate((task) => {
      const face = faces.real[task];
      return face && poseDifference({ ...face.pose, roll: 0 }, { ...truth(task), roll: 0 });
    }),
    // The next target of the same person.
    groundTruthPairs: estimate((task) => between(faces.real[task], faces.real[nextPhoto(targets, task, size) ?? -1])),
  };
}
