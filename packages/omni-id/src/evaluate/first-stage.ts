import { bootstrap, type Estimate, type Provenance, provenance } from "@omni-id/data";
import { noGrad, scope, type Tensor, tensor } from "@omni-id/torch";
import type { MaskedDecoder } from "../masked-decoder.ts";
import type { People } from "../people/people.ts";
import type { LoadedEncoder } from "../weights/first-stage.ts";
import { type HeldOutTask, heldOutTasks, INPUT_COUNTS, type InputCount, otherTask } from "./protocol.ts";
import { type Judge, loadJudges } from "./recognisers.ts";
import {
  CONDITIONS,
  type Condition,
  encodeTasks,
  faceFeatures,
  pictureL1,
  type Reconstructions,
  reconstruct,
} from "./reconstruct.ts";
import { meanFeatures, verificationAuc } from "./verification.ts";

/** One recogniser's word on reconstruction against target, with its own bounds. */
export type RecogniserReport = { measure: Judge["measure"] } & Record<
  Condition | "samePerson" | "otherPerson",
  Estimate
>;

export interface FirstStageReport extends Provenance {
  weights: string;
  identities: number;
  /** Reconstructions under each condition. */
  images: number;
  /** Mean absolute difference inside the face mask, pixels in 0…1. */
  l1: Record<Condition, number>;
  l1Interval: Record<Condition, [number, number]>;
  recognisers: { independent: RecogniserReport; backbone: RecogniserReport };
  /** Share of the way from otherPerson to samePerson that three photos close, on the independent recogniser. */
  closed: Record<"1" | "3" | "5", number>;
  /** ROC AUC, identities of M photos against identities of one other photo. */
  verification: Record<"1" | "3" | "5", number> & { recogniser: Record<"1" | "3" | "5", number> };
  notes: string[];
}

export interface FirstStageOptions {
  encoder: LoadedEncoder;
  decoder: MaskedDecoder;
  /** People that the weights have never seen. */
  people: People;
  seed?: number;
  onProgress?: (what: string) => void;
}

const NOTES = [
  "A reconstruction is what the decoder made of every token that touches the face; nothing of the target is pasted in, and around the face both pictures are grey.",
  "independent: dlib's 128-d network, distance, lower is closer; never trained through. backbone: the recogniser that is also the encoder's backbone and may be part of the loss; it flatters these results.",
  "samePerson: another real view of the person; otherPerson: a real view of somebody else; identityRemoved: the training people's mean identity in place of ℓ; otherIdentity: another person's ℓ.",
];

/** Measures stage one on held-out people. */
export function evaluateFirstStage(options: FirstStageOptions): {
  report: FirstStageReport;
  tasks: HeldOutTask[];
  reconstructions: Reconstructions;
} {
  const { encoder, decoder, people, seed = 7, onProgress = () => {} } = options;
  const tasks = heldOutTasks(people.ids.length, people.images);
  const perPerson = <T>(values: readonly T[]) => groupBy(values, values.length / people.ids.length);

  onProgress("reconstructing");
  const made = reconstruct({
    encoder: encoder.bundle.encoder,
    decoder,
    people,
    tasks,
    meanIdentity: encoder.bundle.identity_mean,
    maskRatio: encoder.preset.mtd.maskRatio,
    seed,
  });
  const l1 = Object.fromEntries(CONDITIONS.map((c) => [c, bootstrap(perPerson(pictureL1(made.made[c], made)))]));

  const judges = loadJudges();
  const judge = (name: string, one: Judge) => {
    onProgress(`judging: ${name}`);
    return judgeReconstructions(one, made, people, perPerson);
  };
  const recognisers = {
    independent: judge("independent", judges.independent),
    backbone: judge("backbone", judges.backbone),
  };

  onProgress("verification");
  const { samePerson, otherPerson } = recognisers.independent;
  const closed = (c: Condition) =>
    (otherPerson.mean - recognisers.independent[c].mean) / (otherPerson.mean - samePerson.mean);
  const report: FirstStageReport = {
    ...provenance(seed),
    weights: encoder.name,
    identities: people.ids.length,
    images: made.targets.length,
    l1: mapValues(l1, (estimate) => estimate.mean) as Record<Condition, number>,
    l1Interval: mapValues(l1, (estimate) => estimate.ci) as Record<Condition, [number, number]>,
    recognisers,
    closed: { "1": closed("1"), "3": closed("3"), "5": closed("5") },
    verification: verify(encoder, people, tasks),
    notes: NOTES,
  };
  return { report, tasks, reconstructions: made };
}

function judgeReconstructions(
  judge: Judge,
  made: Reconstructions,
  people: People,
  perPerson: (values: number[]) => number[][],
): RecogniserReport {
  return scope(() => {
    const points = people.points.indexSelect(0, tensor(made.targets, { dtype: "int64" }));
    const features = (pictures: Tensor) => faceFeatures(pictures, made.masks, points, judge.embed);
    const truth = features(made.truth);
    // The targets of one test are different views of one person; a rotation of them is "another real view".
    const turned = (shift: (i: number) => number) =>
      truth.indexSelect(
        0,
        tensor(
          made.targets.map((_, i) => shift(i)),
          { dtype: "int64" },
        ),
      );
    const views = made.targets.length / (people.ids.length * 4);
    const sibling = turned((i) => i - (i % views) + ((i + 1) % views));
    const stranger = turned((i) => otherTask(Math.floor(i / views), made.targets.length / views) * views + (i % views));
    const estimate = (other: Tensor) => bootstrap(perPerson(judge.compare(other, truth)));
    const conditions = CONDITIONS.map((c) => [c, estimate(features(made.made[c]))] as const);
    return {
      measure: judge.measure,
      ...(Object.fromEntries(conditions) as Record<Condition, Estimate>),
      samePerson: estimate(sibling),
      otherPerson: estimate(stranger),
    };
  });
}

function verify(
  encoder: LoadedEncoder,
  people: People,
  tasks: readonly HeldOutTask[],
): FirstStageReport["verification"] {
  return noGrad(() =>
    scope(() => {
      const probes = tasks.flatMap((task) => task.targets.map((row) => ({ ...task, inputs: [row] })));
      const owner = tasks.map((task) => task.person);
      const probeOwner = probes.map((probe) => probe.person);
      const { encoder: network } = encoder.bundle;
      const compared = (some: readonly HeldOutTask[], inputs: number) =>
        encoder.bundle.compared(encodeTasks(network, people, some, inputs));
      const probeTokens = compared(probes, 1);
      const probeFeatures = meanFeatures(
        people.features,
        probes.map((probe) => probe.inputs),
      );
      const auc = (inputs: InputCount) => verificationAuc(compared(tasks, inputs), owner, probeTokens, probeOwner);
      const own = (inputs: InputCount) => {
        const gallery = meanFeatures(
          people.features,
          tasks.map((task) => task.inputs.slice(0, inputs)),
        );
        return verificationAuc(gallery, owner, probeFeatures, probeOwner);
      };
      const each = (of: (inputs: InputCount) => number) =>
        Object.fromEntries(INPUT_COUNTS.map((inputs) => [`${inputs}`, of(inputs)])) as Record<"1" | "3" | "5", number>;
      return { ...each(auc), recogniser: each(own) };
    }),
  );
}

function groupBy<T>(values: readonly T[], size: number): T[][] {
  return Array.from({ length: values.length / size }, (_, i) => values.slice(i * size, (i + 1) * size));
}

function mapValues<T, U>(record: Record<string, T>, of: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, of(value)]));
}

/** The report as lines for a person. */
export function describeFirstStage(report: FirstStageReport): string[] {
  const fixed = (value: number, digits = 3) => value.toFixed(digits);
  const { independent, backbone } = report.recognisers;
  const row = (name: string, of: (condition: Condition) => string) =>
    `${name}: ${of("1")} / ${of("3")} / ${of("5")} at 1 / 3 / 5 photos · mean identity ${of("identityRemoved")} · other identity ${of("otherIdentity")}`;
  const bounds = ({ samePerson, otherPerson }: RecogniserReport) =>
    `; real photos: same person ${fixed(samePerson.mean)}, other person ${fixed(otherPerson.mean)}`;
  const { verification } = report;
  const aucs = (of: Record<"1" | "3" | "5", number>) => `${fixed(of[1])} / ${fixed(of[3])} / ${fixed(of[5])}`;
  return [
    `${report.identities} people never seen in training, ${report.images} reconstructions`,
    row("L1 in the face (0…1)", (c) => fixed(report.l1[c], 4)),
    row("independent recogniser, distance", (c) => fixed(independent[c].mean)) + bounds(independent),
    row("backbone's recogniser, cosine", (c) => fixed(backbone[c].mean)) + bounds(backbone),
    `three photos close ${Math.round(100 * report.closed[3])} % of the way from another person to the person (independent)`,
    `verification AUC: ${aucs(verification)} at 1 / 3 / 5 photos; the recogniser itself ${aucs(verification.recogniser)}`,
  ];
}
