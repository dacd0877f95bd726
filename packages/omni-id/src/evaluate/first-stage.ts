import { type Estimate, type Groups, type Provenance, provenance } from "@omni-id/data";
import { noGrad, scope, type Tensor, tensor } from "@omni-id/torch";
import type { MaskedDecoder } from "../masked-decoder.ts";
import { chunk } from "../people/chunk.ts";
import type { People } from "../people/people.ts";
import type { LoadedEncoder } from "../weights/first-stage.ts";
import {
  type Against,
  closedWay,
  compareReports,
  differencesOf,
  estimates,
  mapValues,
  type OtherReport,
  type PerPerson,
  perPerson,
  type Values,
} from "./figures.ts";
import { type CountKey, type HeldOutTask, heldOutTasks, nextPhoto, otherTask } from "./protocol.ts";
import { type Judge, type Judges, loadJudges } from "./recognisers.ts";
import {
  CONDITIONS,
  type Condition,
  faceFeatures,
  pictureL1,
  type Reconstructions,
  reconstruct,
} from "./reconstruct.ts";
import { describeAuc, type Verification, verifyHeldOut } from "./verification.ts";

type Compared = Condition | "samePerson" | "otherPerson";

/** One recogniser's word on reconstruction against target, with its own bounds. */
export type RecogniserReport = { measure: Judge["measure"] } & Record<Compared, Estimate>;

export interface FirstStageReport extends Provenance {
  weights: string;
  identities: number;
  /** Reconstructions under each condition. */
  images: number;
  /** Mean absolute difference inside the face mask, pixels in 0…1. */
  l1: Record<Condition, number>;
  l1Interval: Record<Condition, [number, number]>;
  /** By name: `independent`, `backbone`, and whom `--judge` brought. */
  recognisers: Judges<RecogniserReport>;
  /** Share of the way from otherPerson to samePerson that the photos close, on the independent recogniser. */
  closed: Record<CountKey, Estimate>;
  /** Paired differences between conditions: of L1, and on the independent recogniser. */
  differences: { l1: Record<string, Estimate>; independent: Record<string, Estimate> };
  /** ROC AUC, identities of M photos against one other photo; no pair shares a photo. */
  verification: Verification;
  perPerson: PerPerson;
  /** Paired differences to another report of the same people. */
  against?: Against;
  notes: string[];
}

export interface FirstStageOptions {
  encoder: LoadedEncoder;
  decoder: MaskedDecoder;
  /** People that the weights have never seen. */
  people: People;
  /** The two judges when absent. */
  judges?: Judges<Judge>;
  against?: OtherReport;
  seed?: number;
  onProgress?: (what: string) => void;
}

const NOTES = [
  "A reconstruction is what the decoder made of every token that touches the face; nothing of the target is pasted in, and around the face both pictures are grey.",
  "independent: dlib's 128-d network, distance, lower is closer; never trained through. backbone: the recogniser that is also the encoder's backbone and may be part of the loss; it flatters these results.",
  "samePerson: another real view of the person; otherPerson: a real view of somebody else; identityRemoved: the training people's mean identity in place of ℓ; otherIdentity: another person's ℓ.",
  "verification: the inputs of each test against the targets of the same turn, of the same person and of all others; a target is no input of its turn, so no pair shares a photo, and the pairs are the same at every count. carried: the tokens of ℓ that hold the recogniser's own feature; learnt: the other tokens alone.",
  "Intervals: 95 %, bootstrap over people; a difference is paired: both sides of the same people.",
];
const PAIRS = [
  ["3", "1"],
  ["5", "1"],
  ["identityRemoved", "3"],
  ["otherIdentity", "3"],
] as const;

/** Measures stage one on held-out people. @throws when there is one person only */
export function evaluateFirstStage(options: FirstStageOptions): {
  report: FirstStageReport;
  tasks: HeldOutTask[];
  reconstructions: Reconstructions;
} {
  const { encoder, decoder, people, seed = 7, against, onProgress = () => {} } = options;
  const tasks = heldOutTasks(people);
  const byPerson = (values: readonly number[]): Groups => chunk(values, values.length / people.ids.length);

  onProgress("reconstructing");
  const made = reconstruct({
    encoder: encoder.bundle.encoder,
    decoder,
    people,
    tasks,
    meanIdentity: encoder.bundle.identity_mean,
    maskRatio: encoder.preset.mtd.maskRatio,
    tokens: encoder.preset.mtd.tokens,
    seed,
  });
  const l1 = Object.fromEntries(
    CONDITIONS.map((c) => [c, byPerson(pictureL1(made.made[c], made))]),
  ) as Values<Condition>;

  const judges = options.judges ?? loadJudges();
  const judged = Object.fromEntries(
    Object.entries(judges).map(([name, judge]) => {
      onProgress(`judging: ${name}`);
      return [name, judgeReconstructions(judge, made, people, byPerson)];
    }),
  ) as Judges<Values<Compared>>;

  onProgress("verification");
  const { independent } = judged;
  const each = perPerson(people, { l1, ...judged });
  const report: FirstStageReport = {
    ...provenance(seed),
    weights: encoder.name,
    identities: people.ids.length,
    images: made.targets.length,
    l1: mapValues(estimates(l1), ({ mean }) => mean),
    l1Interval: mapValues(estimates(l1), ({ ci }) => ci),
    recognisers: Object.fromEntries(
      Object.entries(judged).map(([name, values]) => [name, { measure: judges[name].measure, ...estimates(values) }]),
    ) as FirstStageReport["recognisers"],
    closed: closedWay(independent),
    differences: { l1: differencesOf(l1, PAIRS), independent: differencesOf(independent, PAIRS) },
    verification: noGrad(() => verifyHeldOut(encoder, people, tasks)),
    ...(against && { against: compareReports(each, against) }),
    perPerson: each,
    notes: NOTES,
  };
  return { report, tasks, reconstructions: made };
}

function judgeReconstructions(
  judge: Judge,
  made: Reconstructions,
  people: People,
  byPerson: (values: readonly number[]) => Groups,
): Values<Compared> {
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
    const sibling = turned((i) => nextPhoto(made.targets, i, views) ?? nextPhoto(made.targets, i, 4 * views) ?? i);
    const stranger = turned((i) => otherTask(Math.floor(i / views), made.targets.length / views) * views + (i % views));
    const values = (other: Tensor) => byPerson(judge.compare(other, truth));
    const conditions = CONDITIONS.map((c) => [c, values(features(made.made[c]))] as const);
    return {
      ...(Object.fromEntries(conditions) as Values<Condition>),
      samePerson: values(sibling),
      otherPerson: values(stranger),
    };
  });
}

/** The report as lines for a person. */
export function describeFirstStage(report: FirstStageReport): string[] {
  const fixed = (value: number, digits = 3) => value.toFixed(digits);
  const { independent, backbone, ...further } = report.recognisers;
  const row = (name: string, of: (condition: Condition) => string) =>
    `${name}: ${of("1")} / ${of("3")} / ${of("5")} at 1 / 3 / 5 photos · mean identity ${of("identityRemoved")} · other identity ${of("otherIdentity")}`;
  const judged = (name: string, one: RecogniserReport) =>
    `${row(name, (c) => fixed(one[c].mean))}; real photos: same person ${fixed(one.samePerson.mean)}, other person ${fixed(one.otherPerson.mean)}`;
  const { verification, closed } = report;
  const [from, to] = closed[3].ci.map((share) => Math.round(100 * share));
  const carried = verification[1].carried ? `, carried tokens ${describeAuc(verification, "carried")}` : "";
  return [
    `${report.identities} people never seen in training, ${report.images} reconstructions`,
    row("L1 in the face (0…1)", (c) => fixed(report.l1[c], 4)),
    judged("independent recogniser, distance", independent),
    judged("backbone's recogniser, cosine", backbone),
    ...Object.entries(further).map(([name, one]) => judged(`${name}, cosine`, one)),
    `three photos close ${Math.round(100 * closed[3].mean)} % (${from}–${to}) of the way from another person to the person (independent)`,
    `verification AUC at 1 / 3 / 5 photos: learnt tokens ${describeAuc(verification, "learnt")}${carried}; the recogniser itself ${describeAuc(verification, "recogniser")}`,
  ];
}
