// The tables of numbers in README.md, docs and the model cards: how each is drawn from its file in `results`.
import { BENCH_TABLES } from "./bench-tables.mjs";
import { fixed, interval, percent, source, table } from "./markdown.mjs";

/** Each table from the content of its file in `results`. */
export const TABLES = {
  "first-stage": {
    file: "first-stage.json",
    command: "npx omni-id evaluate",
    render(report, command) {
      const { l1, l1Interval, recognisers, verification, closed } = report;
      const row = (name, key) => [
        name,
        l1[key] === undefined
          ? ""
          : `${fixed(l1[key], 4)} (${l1Interval[key].map((value) => fixed(value, 4)).join("–")})`,
        interval(recognisers.independent[key]),
        interval(recognisers.backbone[key]),
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
      const auc = (of) => ["1", "3", "5"].map((count) => fixed(of[count])).join(" / ");
      return [
        table(
          [
            "reconstruction",
            "L1 in the face ↓",
            "independent recogniser, distance ↓",
            "backbone's recogniser, cosine ↑",
          ],
          rows,
        ),
        `${report.identities} people never seen in training, ${report.images} reconstructions, means with 95 % intervals over ` +
          `people; weights ${report.weights}. On the independent recogniser 1 / 3 / 5 photos close ` +
          `${["1", "3", "5"].map((count) => Math.round(100 * closed[count])).join(" / ")} % of the way from somebody else to ` +
          `the person. Verification (ROC AUC) at 1 / 3 / 5 photos: ${auc(verification)}; the recogniser itself ` +
          `${auc(verification.recogniser)}.`,
        `Measured by \`${command}\`: ${source(report, report.seed)}.`,
      ];
    },
  },
  generation: {
    file: "generation.json",
    command: "npx omni-id evaluate --stage flow --colour-only",
    render(report, command) {
      const { recognisers, closed, firstOf44, poseDegrees, detected, copyPaste, colourOnly } = report;
      const row = (name, key, first) => [
        name,
        interval(recognisers.independent[key]),
        interval(recognisers.backbone[key]),
        first === undefined ? "" : percent(first),
      ];
      const rows = [
        row("from 1 photo", "1", firstOf44["1"]),
        row("from 3 photos", "3", firstOf44["3"]),
        row("from 5 photos", "5", firstOf44["5"]),
        row("mean identity in place of ℓ", "identityRemoved"),
        row("somebody else's ℓ", "otherIdentity"),
        row("no identity (landmarks alone)", "bareBase"),
        ...(colourOnly
          ? [
              [
                "skin and hair colour alone",
                interval(colourOnly.independent),
                interval(colourOnly.backbone),
                percent(colourOnly.firstOf44),
              ],
            ]
          : []),
        row("_another real photo of the person_", "samePerson", firstOf44.realPhoto),
        row("_a real photo of somebody else_", "otherPerson"),
      ];
      const { controlled, uncontrolled, estimator, groundTruthPairs } = poseDegrees;
      const degrees = ({ mean, ci }) => `${fixed(mean, 1)}° (${fixed(ci[0], 1)}–${fixed(ci[1], 1)})`;
      return [
        table(
          [
            "picture drawn from noise",
            "independent recogniser, distance ↓",
            "backbone's recogniser, cosine ↑",
            `the right one of ${report.identities} comes first`,
          ],
          rows,
        ),
        `${report.identities} people never seen in training, ${report.targets} pictures a row in the pose of another photo, ` +
          `guidance ${report.guidance}, ${report.steps} steps. On the independent recogniser 1 / 3 / 5 photos close ` +
          `${["1", "3", "5"].map((count) => Math.round(100 * closed[count])).join(" / ")} % of the way from somebody else to ` +
          `the person. Without landmarks three photos give ${interval(report.uncontrolled)}, without guidance ` +
          `${interval(report.withoutGuidance)}.`,
        `Pose error (yaw + pitch + roll, against the target's photo): ${degrees(controlled)} with landmarks, ` +
          `${degrees(uncontrolled)} without; ${degrees(groundTruthPairs)} between two real photos of a person; the pose ` +
          `model's own error on real photos ${degrees(estimator)}. Copy-paste score ${interval(copyPaste)} (above 0: nearer ` +
          `to an input than to the target). The detector finds a face in ${percent(detected.generated)} of the pictures ` +
          `(real ones: ${percent(detected.real)}).`,
        `Measured by \`${command}\`: ${source(report, report.seed)}.`,
      ];
    },
  },
  "real-photos": {
    file: "real-photos.json",
    command: "node scripts/real-photos.mjs photos && npx omni-id verify photos -o results/real-photos.json",
    render(report) {
      const rows = Object.entries(report.auc).map(([count, { identity, recogniser }]) => [
        `${count} photo${count === "1" ? "" : "s"}`,
        fixed(identity, 4),
        fixed(recogniser, 4),
      ]);
      const { enrolled, strangers } = report.people;
      return [
        table(["identity from", "ROC AUC of identities ↑", "of the recogniser itself ↑"], rows),
        `${enrolled} people with several photos, ${strangers} strangers, ${report.photos} photos, ${report.refused} refused; weights ${report.weights}.`,
        `Measured by \`npx omni-id verify\`: ${source(report)}.`,
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
};

/** The same figures of other weights than the shipped ones: what the paper's own form gives beside ours. */
function alsoOf(name, suffix, weights) {
  const stage = name === "generation" ? " --stage flow" : "";
  const file = `${name}-${suffix}.json`;
  const command = `npx omni-id evaluate${stage} --weights ${weights} -o results/${file}`;
  TABLES[`${name}-${suffix}`] = { ...TABLES[name], file, command };
}
alsoOf("first-stage", "paper", "runs/short-l1/weights");
alsoOf("first-stage", "short", "runs/short-likeness/weights");
alsoOf("generation", "paper", "runs/paper-weights");
