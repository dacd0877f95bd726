// The tables of numbers in README.md, docs and the model cards: how each is drawn from its file in `results`.
import { BENCH_TABLES } from "./bench-tables.mjs";
import { GPU_TABLE } from "./gpu-table.mjs";
import { fixed, interval, percent, share, signed, source, table } from "./markdown.mjs";
import { REAL_PEOPLE_TABLE } from "./real-people-table.mjs";
import { STUDIO_TABLE } from "./studio-table.mjs";
import { TWINS_TABLE } from "./twins-table.mjs";
import { USABLE_TABLE } from "./usable-table.mjs";

/** The recognisers of a report: the two of the house, then further ones (`--judge`). */
function judgesOf({ independent, backbone, ...further }) {
  return [
    { name: "independent", of: independent, title: "independent recogniser, distance ↓" },
    { name: "backbone", of: backbone, title: "backbone's recogniser, cosine ↑" },
    ...Object.entries(further).map(([name, of]) => ({ name, of, title: `${name}, cosine ↑` })),
  ];
}

const eachCount = (of) => ["1", "3", "5"].map(of).join(" / ");

/** What more photos give, of the same people. */
const pairedSentence = (differences) =>
  `; three photos instead of one change its distance by ${signed(differences["3 − 1"])}, five by ${signed(differences["5 − 1"])}`;

/** ROC AUC by what people are told apart by; no pair shares a photo. */
function verificationTable(verification) {
  const counts = Object.keys(verification);
  const auc = (of) =>
    of ? (of.ci ? interval({ mean: of.auc, ci: of.ci }, 4) : `${fixed(of.auc, 4)} (one person)`) : "";
  const enrolled = ({ enrolled }) => (enrolled === undefined ? "" : `, ${enrolled} people`);
  const row = (name, key) => [name, ...counts.map((count) => auc(verification[count][key]))];
  const rows = [
    row("the learnt tokens of ℓ alone", "learnt"),
    ...(verification[counts[0]].carried ? [row("the tokens that carry the recogniser's feature", "carried")] : []),
    row("the recogniser itself", "recogniser"),
  ];
  const head = counts.map((count) => `${count} photo${count === "1" ? "" : "s"}${enrolled(verification[count])}`);
  return [table(["people told apart by (ROC AUC ↑)", ...head], rows)];
}

const FIRST_STAGE_MEASURES = [
  ["l1", "3", "L1 in the face", { digits: 4 }],
  ["independent", "3", "the independent recogniser's distance", {}],
  ["independent, way closed", "3", "the way closed", { percent: true }],
];
const GENERATION_MEASURES = [
  ["independent", "3", "the independent recogniser's distance", {}],
  ["independent, way closed", "3", "the way closed", { percent: true }],
  ["firstOf", "3", "the right one first", { percent: true }],
];

/** Differences to another report at three photos, of the same people. */
function againstSentences(against, measures) {
  if (!against) return [];
  const told = measures
    .filter(([measure, key]) => against.differences[measure]?.[key])
    .map(([measure, key, name, how]) => `${name} ${signed(against.differences[measure][key], how)}`);
  return [`Less the figures of \`${against.report}\`, person by person, at three photos: ${told.join("; ")}.`];
}

/** Each table from the content of its file in `results`. */
export const TABLES = {
  "first-stage": {
    file: "first-stage.json",
    needs: ["perPerson"],
    command: "npx omni-id evaluate",
    render(report, command) {
      const { l1, l1Interval, recognisers, verification, closed } = report;
      const judges = judgesOf(recognisers);
      const row = (name, key) => [
        name,
        l1[key] === undefined
          ? ""
          : `${fixed(l1[key], 4)} (${l1Interval[key].map((value) => fixed(value, 4)).join("–")})`,
        ...judges.map(({ of }) => interval(of[key])),
      ];
      const rows = [
        row("from 1 photo", "1"),
        row("from 3 photos", "3"),
        row("from 5 photos", "5"),
        row("mean identity in place of ℓ", "identityRemoved"),
        row("somebody else's ℓ", "otherIdentity"),
        row("_another real view of the person_", "samePerson"),
        row("_a real view of somebody else_", "otherPerson"),
      ];
      return [
        table(["reconstruction", "L1 in the face ↓", ...judges.map(({ title }) => title)], rows),
        `${report.identities} people never seen in training, ${report.images} reconstructions, means with 95 % intervals over ` +
          `people; weights ${report.weights}. On the independent recogniser 1 / 3 / 5 photos close ` +
          `${eachCount((count) => share(closed[count]))} of the way from somebody else to the person` +
          `${pairedSentence(report.differences?.independent)}.`,
        ...verificationTable(verification),
        ...againstSentences(report.against, FIRST_STAGE_MEASURES),
        `Measured by \`${command}\`: ${source(report, report.seed)}.`,
      ];
    },
  },
  generation: {
    file: "generation.json",
    needs: ["firstOf"],
    command: "npx omni-id evaluate --stage flow --colour-only",
    render(report, command) {
      const { recognisers, closed, firstOf, poseDegrees, detected, copyPaste, colourOnly } = report;
      const judges = judgesOf(recognisers);
      const row = (name, key, first) => [
        name,
        ...judges.map(({ of }) => interval(of[key])),
        first === undefined ? "" : share(first),
      ];
      const rows = [
        row("from 1 photo", "1", firstOf["1"]),
        row("from 3 photos", "3", firstOf["3"]),
        row("from 5 photos", "5", firstOf["5"]),
        row("mean identity in place of ℓ", "identityRemoved"),
        row("somebody else's ℓ", "otherIdentity"),
        row("no identity (landmarks alone)", "bareBase"),
        ...(colourOnly
          ? [
              [
                "skin and hair colour alone",
                ...judges.map(({ name }) => (colourOnly[name] ? interval(colourOnly[name]) : "")),
                share(colourOnly.firstOf),
              ],
            ]
          : []),
        row("_another real photo of the person_", "samePerson", firstOf.realPhoto),
        row("_a real photo of somebody else_", "otherPerson"),
      ];
      const { controlled, uncontrolled, estimator, groundTruthPairs } = poseDegrees;
      const degrees = ({ mean, ci }) => `${fixed(mean, 1)}° (${fixed(ci[0], 1)}–${fixed(ci[1], 1)})`;
      return [
        table(
          [
            "picture drawn from noise",
            ...judges.map(({ title }) => title),
            `the right one of ${firstOf.people} comes first`,
          ],
          rows,
        ),
        `${report.identities} people never seen in training, ${report.targets} pictures a row in the pose of another photo, ` +
          `guidance ${report.guidance}, ${report.steps} steps. On the independent recogniser 1 / 3 / 5 photos close ` +
          `${eachCount((count) => share(closed[count]))} of the way from somebody else to the person` +
          `${pairedSentence(report.differences.independent)}. Who comes first is asked of one gallery for all counts, the ` +
          `photos that are no input at any of them; chance is ${percent(firstOf.chance)}, and three photos give ` +
          `${signed(report.differences.firstOf["3 − 1"], { percent: true })} over one. Without landmarks three photos give ${interval(report.uncontrolled)}, without guidance ` +
          `${interval(report.withoutGuidance)}.`,
        `Pose error (yaw + pitch + roll, against the target's photo): ${degrees(controlled)} with landmarks, ` +
          `${degrees(uncontrolled)} without; ${degrees(groundTruthPairs)} between two real photos of a person; the pose ` +
          `model's own error on real photos ${degrees(estimator)}. Copy-paste score (above 0: ` +
          `nearer to the reference, here ${copyPaste.reference}, than to the target) ${interval(copyPaste.all)}, without ` +
          `${copyPaste.outliers} outliers ${interval(copyPaste.withoutOutliers)}. The detector finds a face in ${percent(detected.generated)} of the pictures ` +
          `(real ones: ${percent(detected.real)}).`,
        ...againstSentences(report.against, GENERATION_MEASURES),
        `Measured by \`${command}\`: ${source(report, report.seed)}.`,
      ];
    },
  },
  "real-photos": {
    file: "real-photos.json",
    needs: ["verification"],
    command: "npx omni-id verify photos -o results/real-photos.json",
    render(report) {
      const { enrolled, strangers } = report.people;
      return [
        ...verificationTable(report.verification),
        `${enrolled} people with several photos, ${strangers} strangers, ${report.photos} photos, ${report.refused} refused; weights ${report.weights}.`,
        `Measured by \`npx omni-id verify\` on press photographs (Labeled Faces in the Wild, 80 people, six of each): ${source(report)}.`,
      ];
    },
  },
  "real-people": REAL_PEOPLE_TABLE,
  departures: {
    file: "departures.json",
    command: "npx omni-id presets nano --against nano-paper --json > results/departures.json",
    render(departures, command) {
      const rows = departures.map(({ key, paper, nano, why }) => [`\`${key}\``, `${paper}`, `${nano}`, why]);
      return [
        table(["option", "`nano-paper`", "`nano`", "why"], rows),
        `Printed from the difference of the two presets by \`${command}\`.`,
      ];
    },
  },
  training: {
    file: "training.json",
    command: "npx omni-id train all --json > results/training.json",
    render(report) {
      const about = {
        mtd: "stage one: encoder and masked decoder",
        base: "the flow base, from nothing",
        flow: "stage two: adapter, and the encoder along",
        control: "ControlNet on landmarks",
        "mtd-decoder": "stage one's decoder again, for the encoder as it is then",
      };
      const parts = Object.entries(report.minutes);
      return [
        table(
          ["part of `train all`", "", "minutes"],
          parts.map(([part, minutes]) => [`\`${part}\``, about[part] ?? "", `${minutes}`]),
        ),
        `${parts.reduce((sum, [, minutes]) => sum + minutes, 0)} minutes together, ${report.atOnce} parts at a time beside each other on the cores named. Measured by \`npx omni-id train all --json\`: ${source(report, report.seed)}.`,
      ];
    },
  },
  curation: {
    file: "curation.json",
    command: "npx omni-id data evaluate",
    render({ provenance, films, detection, cuts, pose, identity, choice, quality }) {
      const rate = ({ value, n }) => `${fixed(100 * value, 1)} % of ${n}`;
      const row = (name, { spread, cells, quality, blur, twins }) => [
        name,
        `${interval(spread, 1)}°`,
        interval(cells, 1),
        interval(quality, 3),
        `${interval(blur, 1)} px`,
        interval(twins, 3),
      ];
      const choices = table(
        ["eight faces of each", "spread of poses ↑", "cells of 10° ↑", "quality ↑", "motion blur ↓", "twins ↓"],
        [
          row("curated", choice.curated),
          row("random (mean of 200 draws)", choice.random),
          row("at equal distances in time", choice.equallySpaced),
        ],
      );
      const facts = table(
        ["what", "measured"],
        [
          ["faces found, of those wholly in the picture", rate(detection.recall)],
          ["detections that are faces", rate(detection.precision)],
          [
            "pose error, mean absolute",
            `yaw ${fixed(pose.yaw, 1)}°, pitch ${fixed(pose.pitch, 1)}°, roll ${fixed(pose.roll, 1)}° (N = ${pose.n})`,
          ],
          ["pictures of an identity that show its main person", `${rate(identity.purity)} identities, their mean`],
          ["people who became exactly one identity", rate(identity.complete)],
          ["people who became several", rate(identity.split)],
          ["cuts to other people that were seen", rate(cuts.toOthers)],
          ["jumps within a scene that were seen", rate(cuts.jumps)],
          ["seen cuts that are cuts", rate(cuts.precision)],
          ["people who go on from one look to the next, torn by a wrong cut", rate(cuts.torn)],
        ],
      );
      const ladder = table(
        ["damage", "pairs of strengths ordered rightly ↑", "score at each strength, undamaged = 1"],
        Object.entries(quality.damages).map(([name, { ordered, pairs, relative }]) => [
          name,
          rate({ value: ordered, n: pairs }),
          relative.map((value) => fixed(value, 2)).join(", "),
        ]),
      );
      const { spreadOverRandom, spreadOverEquallySpaced } = choice;
      return [
        choices,
        `${choice.n} people, means with 95 % intervals over them. The curated eight spread ` +
          `${interval(spreadOverRandom, 2)} times as far as random ones and ${interval(spreadOverEquallySpaced, 2)} times ` +
          `as far as equally spaced ones. Spread is the mean distance of two of the eight in true yaw and pitch; a twin ` +
          `is a face whose true shape another of the eight shares within 1 % of the eye distance.`,
        facts,
        `The built-in quality on ${quality.pictures} faces that were damaged in steps:`,
        ladder,
        `${films.count} films, ${films.frames} frames, ${films.people} people. Measured by ` +
          `\`npx omni-id data evaluate\`: ${source(provenance, provenance.seed)}.`,
      ];
    },
  },
  ...BENCH_TABLES,
  gpu: GPU_TABLE,
  studio: STUDIO_TABLE,
  twins: TWINS_TABLE,
  "usable-faces": USABLE_TABLE,
};

/** The same figures of other weights than the shipped ones: what the paper's own form gives beside ours. */
function alsoOf(name, suffix, weights, more = "") {
  const file = `${name}-${suffix}.json`;
  const command = `npx omni-id evaluate --weights ${weights}${more} -o results/${file}`;
  TABLES[`${name}-${suffix}`] = { ...TABLES[name], file, command };
}
alsoOf("first-stage", "paper", "runs/paper-mtd/weights", " --against results/first-stage-short.json");
alsoOf("first-stage", "short", "runs/short/weights");
