import { bootstrap, type Estimate, type Groups, type Provenance, provenance } from "@omni-id/data";
import { noGrad, scope, type Tensor } from "@omni-id/torch";
import type { FaceGenerator } from "../generate/face-generator.ts";
import { chunk } from "../people/chunk.ts";
import type { People } from "../people/people.ts";
import { saveSheet, toRgb } from "../pictures/picture.ts";
import { toUnit } from "../pictures/rgb-batch.ts";
import { drawTasks, identitiesOf } from "./draw-tasks.ts";
import { DrawnPictures } from "./drawn-pictures.ts";
import { estimates, mapValues, type PerPerson, perPerson, type Values } from "./figures.ts";
import { findFaces, poseDifference } from "./generated-faces.ts";
import { byPerson, featuresOf } from "./generation-likeness.ts";
import { type GenerationTask, generationTasks, rowsOf } from "./generation-protocol.ts";
import { type Judge, loadJudges } from "./recognisers.ts";
import { cosines, distances } from "./reconstruct.ts";

/** What is drawn: from so many photos, and from nobody's identity. */
const DRAWN = ["1", "3", "5", "bareBase"] as const;
type Drawn = (typeof DRAWN)[number];
type Compared = Drawn | "samePerson" | "otherPerson";

/** The figures of one line of the paper's Tables 1 to 3, person by person. */
export interface TableFigures extends Provenance {
  weights: { encoder: string; base: string };
  people: number;
  pictures: number;
  guidance: number;
  steps: number;
  /** Cosine of the independent recogniser's features of picture and target. */
  idSimilarity: Record<Compared, Estimate>;
  /** |Δyaw| + |Δpitch| + |Δroll| in degrees, where a face is found in both. */
  poseError?: Record<"1" | "3", Estimate>;
  /** Share of the pictures from three photos in which the detector finds a face. */
  detected?: number;
  perPerson: PerPerson;
}

export interface TableFiguresOptions {
  generator: FaceGenerator;
  /** People that the weights have never seen. */
  people: People;
  guidance: number;
  steps: number;
  seed: number;
  /** Whether poses are read off the pictures too, which takes as long as all else. */
  poses: boolean;
  onProgress?: (what: string) => void;
}

export interface TableFiguresResult {
  report: TableFigures;
  tasks: GenerationTask[];
  pictures: Record<Drawn, Tensor>;
}

/**
 * One line of a table: held-out people drawn from 1, 3 and 5 photos and from none, all in the poses of their targets and
 * from the same noise whatever the weights. A fifth of what `evaluateGeneration` draws and asks.
 */
export async function tableFigures(options: TableFiguresOptions): Promise<TableFiguresResult> {
  const { generator, people, guidance, steps, seed, poses, onProgress = () => {} } = options;
  const tasks = generationTasks(people);
  const common = { generator, people, tasks, steps, seed, drawn: new DrawnPictures(undefined, []) };
  const identities = identitiesOf(common);
  const pictures = {} as Record<Drawn, Tensor>;
  for (const name of DRAWN) {
    onProgress(`drawing ${tasks.length} pictures: ${name}`);
    const tokens = name === "bareBase" ? undefined : identities[name];
    pictures[name] = drawTasks(common, tokens, { guidance, landmarks: true }).keep();
  }

  onProgress("judging");
  const likeness = scope(() => noGrad(() => likenessOf(people, tasks, pictures)));
  if (poses) onProgress("looking for faces");
  const found = poses ? await posesOf(people, tasks, pictures) : undefined;
  const report: TableFigures = {
    ...provenance(seed),
    weights: { encoder: generator.encoder.name, base: generator.base.hash.slice(0, 12) },
    people: people.ids.length,
    pictures: tasks.length,
    guidance,
    steps,
    idSimilarity: estimates(likeness.idSimilarity),
    ...(found && {
      poseError: { "1": bootstrap(known(found.poseError[1])), "3": bootstrap(known(found.poseError[3])) },
      detected: found.detected,
    }),
    perPerson: perPerson(people, { ...likeness, ...(found && { poseError: withMeans(found.poseError) }) }),
  };
  return { report, tasks, pictures };
}

/** Cosine and distance of the independent recogniser, and the cosine of the backbone's own, which flatters. */
function likenessOf(
  people: People,
  tasks: readonly GenerationTask[],
  pictures: Record<Drawn, Tensor>,
): Record<"idSimilarity" | "distance" | "backbone", Values<Compared>> {
  const judges = loadJudges();
  const points = rowsOf(
    people.points,
    tasks.map(({ target }) => target),
  );
  const features = (judge: Judge) => featuresOf(judge, { people, tasks }, pictures, points);
  const values = ({ compared, truth }: ReturnType<typeof features>, compare: Judge["compare"]): Values<Compared> =>
    mapValues(compared, (some) => byPerson(compare(some, truth), people));
  const independent = features(judges.independent);
  return {
    idSimilarity: values(independent, cosines),
    distance: values(independent, distances),
    backbone: values(features(judges.backbone), cosines),
  };
}

type PoseErrors = Record<"1" | "3", Groups>;

async function posesOf(
  people: People,
  tasks: readonly GenerationTask[],
  pictures: Record<Drawn, Tensor>,
): Promise<{ poseError: PoseErrors; detected: number }> {
  const targets = tasks.map(({ target }) => target);
  const photos = scope(() => toUnit(rowsOf(people.crops, targets))).keep();
  const real = await findFaces(photos);
  const found = { "1": await findFaces(pictures[1]), "3": await findFaces(pictures[3]) };
  const errors = (made: typeof real) => {
    const each = made.map((face, task) => {
      const truth = real[task];
      return face && truth ? [poseDifference(face.pose, truth.pose)] : [];
    });
    return chunk(each, tasks.length / people.ids.length).map((some) => some.flat());
  };
  return {
    poseError: { "1": errors(found[1]), "3": errors(found[3]) },
    detected: found[3].filter(Boolean).length / tasks.length,
  };
}

const known = (groups: Groups): Groups => groups.filter((values) => values.length > 0);

/** Whoever was never found stands in a report as the mean of all others: pairs of people have to stay pairs. */
function withMeans(errors: PoseErrors): Values {
  const filled = (groups: Groups) => {
    const all = groups.flat();
    const average = all.reduce((sum, value) => sum + value, 0) / Math.max(1, all.length);
    return groups.map((values) => (values.length > 0 ? values : [average]));
  };
  return { "1": filled(errors[1]), "3": filled(errors[3]) };
}

/** The same six people of every arm, one a column: the target, and drawn from 1, 3 and 5 photos. */
export async function saveTableStrip(
  file: string,
  { people, tasks, pictures, title }: Omit<TableFiguresResult, "report"> & { people: People; title: string },
): Promise<void> {
  const perPerson = tasks.length / people.ids.length;
  const shown = Array.from({ length: Math.min(6, people.ids.length) }, (_, i, all = Math.min(6, people.ids.length)) => {
    const person = Math.floor((i * people.ids.length) / all);
    return person * perPerson + (i % perPerson);
  });
  const row = (all: Tensor, places: readonly number[]) => places.map((place) => toRgb(all.select(0, place)));
  const targets = shown.map((task) => tasks[task].target);
  const rows = scope(() => [
    row(toUnit(rowsOf(people.crops, targets)), [...shown.keys()]),
    ...(["1", "3", "5"] as const).map((name) => row(pictures[name], shown)),
  ]);
  await saveSheet(file, {
    title,
    columns: shown.map((_, i) => `person ${i + 1}`),
    rows,
    notes: ["From above: a real picture in that pose; drawn from 1, 3 and 5 other photos."],
    tile: 112,
  });
}
