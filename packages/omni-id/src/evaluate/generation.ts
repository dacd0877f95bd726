import { bootstrap, type Estimate, type Provenance, provenance } from "@omni-id/data";
import type { Pose } from "@omni-id/face";
import { cat, noGrad, scope, type Tensor } from "@omni-id/torch";
import { drawPictures } from "../generate/draw.ts";
import type { FaceGenerator } from "../generate/face-generator.ts";
import { chunk } from "../people/chunk.ts";
import { encodeRows } from "../people/encode-rows.ts";
import type { People } from "../people/people.ts";
import { landmarkPictures } from "../pictures/landmark-picture.ts";
import { toUnit } from "../pictures/rgb-batch.ts";
import { colourIdentities } from "./colour-only.ts";
import { type FoundFace, findFaces, pointsOf, poseDifference } from "./generated-faces.ts";
import { copyPasteScores, type GenerationRecognisers, likenessOf, shareFirst } from "./generation-likeness.ts";
import { GENERATED, type Generated, type GenerationTask, generationTasks, rowsOf } from "./generation-protocol.ts";
import { loadJudges } from "./recognisers.ts";

export interface GenerationReport extends Provenance {
  weights: { encoder: string; base: string };
  identities: number;
  targets: number;
  guidance: number;
  steps: number;
  recognisers: GenerationRecognisers;
  /** Share of the way from otherPerson to samePerson, independent recogniser. */
  closed: Record<"1" | "3" | "5", number>;
  /** How often the right one of all held-out people is nearest (independent recogniser). */
  firstOf44: Record<"1" | "3" | "5", number> & { realPhoto: number; chance: number };
  /** Above 0: nearer to an input photo than to the person in the target's state. */
  copyPaste: Estimate;
  /** Absolute yaw + pitch + roll, degrees. */
  poseDegrees: Record<"controlled" | "uncontrolled" | "estimator" | "groundTruthPairs", Estimate>;
  /** Share of pictures in which the detector finds a face. */
  detected: { generated: number; real: number };
  /** Likeness without landmarks and without guidance, three photos. */
  uncontrolled?: GenerationRecognisers["independent"]["3"];
  withoutGuidance?: GenerationRecognisers["independent"]["3"];
  colourOnly?: { independent: Estimate; backbone: Estimate; firstOf44: number };
  notes: string[];
}

export interface GenerationOptions {
  generator: FaceGenerator;
  /** People that the weights have never seen. */
  people: People;
  /** Training people, for `colourOnly`. */
  training?: People;
  guidance: number;
  steps: number;
  seed: number;
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
  "poseDegrees: the pose model's reading of the picture against its reading of the target; estimator: its reading of real pictures against the renderer's truth (yaw and pitch; aligned pictures have no roll).",
];
const AT_ONCE = 44;

/** Measures generation on held-out people: likeness, copying, pose, detection. */
export async function evaluateGeneration(options: GenerationOptions): Promise<GenerationResult> {
  const { generator, people, training, guidance, steps, seed, onProgress = () => {} } = options;
  const tasks = generationTasks(people);
  const targets = tasks.map(({ target }) => target);
  const identities = identitiesOf(generator, people, tasks);
  const draw = (name: string, tokens: Tensor | undefined, how: { landmarks: boolean; guidance?: number }) => {
    onProgress(`drawing ${tasks.length} pictures: ${name}`);
    return drawAll(options, tasks, tokens, { guidance, ...how }).keep();
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
  const judges = loadJudges();
  const points = rowsOf(people.points, targets);
  const measure = { people, tasks, judges };
  const perPerson = (values: readonly number[]) => chunk([...values], tasks.length / people.ids.length);
  const recognisers = scope(() => noGrad(() => likenessOf(measure, pictures, points)));
  const three = (made: Tensor, where: Tensor) => scope(() => noGrad(() => likenessOf(measure, { "3": made }, where)));
  const first = (made: Tensor) => scope(() => noGrad(() => shareFirst(measure, made, points)));
  const { samePerson, otherPerson } = recognisers.independent;
  const closed = (c: "1" | "3" | "5") =>
    (otherPerson.mean - recognisers.independent[c].mean) / (otherPerson.mean - samePerson.mean);

  const report: GenerationReport = {
    ...provenance(seed),
    weights: { encoder: generator.encoder.name, base: generator.base.hash.slice(0, 12) },
    identities: people.ids.length,
    targets: tasks.length,
    guidance,
    steps,
    recognisers,
    closed: { "1": closed("1"), "3": closed("3"), "5": closed("5") },
    firstOf44: {
      "1": first(pictures[1]),
      "3": first(pictures[3]),
      "5": first(pictures[5]),
      realPhoto: first(
        scope(() =>
          toUnit(
            rowsOf(
              people.crops,
              tasks.map(({ inputs }) => inputs[0]),
            ),
          ),
        ),
      ),
      chance: 1 / people.ids.length,
    },
    copyPaste: scope(() => noGrad(() => bootstrap(perPerson(copyPasteScores(measure, pictures[3], points))))),
    poseDegrees: poseErrors(people, tasks, faces),
    detected: {
      generated: faces.controlled.filter(Boolean).length / tasks.length,
      real: faces.real.filter(Boolean).length / tasks.length,
    },
    uncontrolled: three(uncontrolled, pointsOf(faces.uncontrolled, points)).independent[3],
    withoutGuidance: three(plain, points).independent[3],
    notes: NOTES,
  };
  if (training) {
    const colours = scope(() =>
      noGrad(() =>
        colourIdentities(
          generator.encoder.bundle.encoder,
          training,
          people,
          tasks.map(({ inputs }) => inputs.slice(0, 3)),
        ),
      ),
    ).keep();
    const made = draw("colours only", colours, { landmarks: true });
    const { independent, backbone } = three(made, points);
    report.colourOnly = { independent: independent[3], backbone: backbone[3], firstOf44: first(made) };
  }
  return { report, tasks, pictures };
}

/** ℓ of every task under every condition that has one, `[tasks, L, C]`. */
function identitiesOf(
  { encoder: { bundle } }: FaceGenerator,
  people: People,
  tasks: readonly GenerationTask[],
): Record<Exclude<Generated, "bareBase">, Tensor> {
  return scope(() =>
    noGrad(() => {
      const from = (count: number) =>
        cat(
          chunk([...tasks], AT_ONCE).map((some) =>
            encodeRows(
              bundle.encoder,
              people,
              some.flatMap(({ inputs }) => inputs.slice(0, count)),
              some.length,
            ).float(),
          ),
        );
      const three = from(3);
      const perTask = tasks.length / (people.ids.length * 4);
      const others = tasks.map(({ other }) => other * perTask);
      return {
        1: from(1),
        3: three,
        5: from(5),
        identityRemoved: bundle.identity_mean.unsqueeze(0).expand(three.shape).contiguous(),
        otherIdentity: rowsOf(three, others),
      };
    }),
  );
}

/** One picture a task, `[tasks, 3, S, S]`; the same noise whatever the identity. */
function drawAll(
  { generator, people, steps, seed }: GenerationOptions,
  tasks: readonly GenerationTask[],
  identities: Tensor | undefined,
  { landmarks, guidance }: { landmarks: boolean; guidance: number },
): Tensor {
  const { base, decoder, control, imageSize } = generator;
  return scope(() =>
    noGrad(() => {
      const parts = chunk([...tasks.keys()], AT_ONCE).map((some, part) =>
        scope(() => {
          const who = identities && decoder.conditions(rowsOf(identities, some));
          const lines = landmarks
            ? landmarkPictures(people.landmarksOf(some.map((task) => tasks[task].target)), imageSize)
            : undefined;
          return drawPictures(base.base, {
            count: some.length,
            seed: seed * 1000 + part,
            steps,
            prompt: base.preset.flow.prompt,
            guidance: identities ? guidance : 1,
            conditions: lines ? control.steer(lines, who) : who,
            without: lines && control.steer(lines),
          });
        }),
      );
      return cat(parts);
    }),
  );
}

type Faces = Record<"real" | "controlled" | "uncontrolled", (FoundFace | undefined)[]>;

function poseErrors(people: People, tasks: readonly GenerationTask[], faces: Faces): GenerationReport["poseDegrees"] {
  const size = tasks.length / people.ids.length;
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
    groundTruthPairs: estimate((task) =>
      between(faces.real[task], faces.real[task - (task % size) + ((task + 1) % size)]),
    ),
  };
}
