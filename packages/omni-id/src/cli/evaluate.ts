import { basename, dirname, extname, join } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { ShardSet, splitOf } from "@omni-id/data";
import { autocast, defaultDevice, preferredPrecision, setNumThreads, writeAtomically } from "@omni-id/torch";
import { RecogniserBackbone } from "../backbones/recogniser.ts";
import { loadKleinBase } from "../checkpoints/klein-base.ts";
import { type OtherReport, readOtherReport, reportText } from "../evaluate/figures.ts";
import { describeFirstStage, evaluateFirstStage } from "../evaluate/first-stage.ts";
import { evaluateGeneration } from "../evaluate/generation.ts";
import { describeGeneration, saveGenerationSheet, saveReferencesSheet } from "../evaluate/generation-sheet.ts";
import { neverMet } from "../evaluate/never-met.ts";
import type { Judge, Judges } from "../evaluate/recognisers.ts";
import { describeReferences, evaluateReferences } from "../evaluate/references.ts";
import { saveReconstructionSheet } from "../evaluate/sheet.ts";
import { saveTableStrip, tableFigures } from "../evaluate/table-figures.ts";
import { FaceGenerator } from "../generate/face-generator.ts";
import { LEAST_TESTED, type People } from "../people/people.ts";
import { preparePeople } from "../people/prepare.ts";
import { presets } from "../presets/index.ts";
import type { Representation } from "../representations/representation.ts";
import { type LoadedEncoder, loadEncoder, loadMaskedDecoder, loadRepresentation } from "../weights/first-stage.ts";
import { shippedWeights } from "../weights/folder.ts";
import { useDevice } from "./device.ts";
import { HALVES, type Half, measurePeople, withHalf } from "./evaluate-people.ts";
import { personalise } from "./evaluate-personalise.ts";
import { judgeInputOption, judgeOption, judgesOf } from "./judge-options.ts";
import { count, deviceOption, jsonOption, weightsOption, whole } from "./options.ts";
import { outFile } from "./out-file.ts";
import { note, print, UsageError } from "./output.ts";

const STAGES = {
  mtd: "first-stage",
  flow: "generation",
  people: "real-people",
  references: "references",
  tables: "table-figures",
  personalise: "personalise",
} as const;

/** Steps of generated pictures. */
const STEPS = 12;

export function evaluateCommand() {
  return new Command("evaluate")
    .addOption(
      new Option(
        "--stage <name>",
        "mtd: reconstructions; flow: generated pictures; people: how near pictures come to real people, and how real they look; references: the baseline of FLUX.2's own references; tables: one line of the paper's tables, cheaply; personalise: people in scenes that sentences tell of",
      )
        .choices(["mtd", "flow", "people", "references", "tables", "personalise"] as const)
        .default("mtd" as const),
    )
    .option("--data <folder>", "shards whose held-out people are used; those of scenes for personalise", "data/synth")
    .addOption(
      new Option(
        "--people <which>",
        "the held-out people, those that recipes may be chosen by, or (personalise) all of a set that nothing was trained on",
      )
        .choices(["test", "validation", "all"] as const)
        .default("test" as const),
    )
    .option("-o, --out <file>", "JSON to write; the picture goes beside it (default: results/<stage>.json)")
    .option("--cache <folder>", "prepared crops and feature maps", "data/cache")
    .option("--seed <number>", "seed of masks and noise", whole, 7)
    .option(
      "--guidance <scale>",
      "guidance of generated pictures (default: the preset's; references: the model's own)",
      Number,
    )
    .option("--steps <number>", "steps of the solver (default: 12; references: the model's own)", count)
    .addOption(
      new Option("--base <name>", "what draws from references; files: omni-id models")
        .choices(["klein", "klein-distilled"] as const)
        .default("klein" as const),
    )
    .option("--size <pixels>", "side of photos and pictures of --stage references", count, 512)
    .option(
      "--colour-only",
      "also with identities that know skin and hair colour alone (flow; needs the training people)",
    )
    .addOption(
      new Option("--half <name>", "which half of the report these weights are, of --stage people; the other one stays")
        .choices(HALVES)
        .default("shipped" as Half),
    )
    .option("--prompts <file>", "of --stage personalise: what is drawn, a sentence a line (default: twenty of ours)")
    .option("--arms <name=folder...>", "of --stage personalise: other weights on the same base, such as arcface=runs/…")
    .option("--attributes <folder>", "of --stage personalise: weights of: omni-id train attributes")
    .option(
      "--clip <folder>",
      "of --stage personalise: an image–text score by: omni-id train clip --preset nano-scenes",
    )
    .option("--identities <number>", "of --stage personalise: how many people", count, 10)
    .option("--no-landmarks", "of --stage people: the target's landmarks are not given")
    .option("--sheet <file>", "of --stage people: a picture to look at, which shows real people: it is theirs")
    .option("--no-poses", "of --stage tables: poses are not read off the pictures")
    .addOption(judgeOption())
    .addOption(judgeInputOption())
    .option("--against <report.json>", "also the differences to another report of the same people, paired")
    .addOption(weightsOption())
    .option("--threads <number>", "processor threads (default: one a core)", count)
    .addOption(deviceOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nTake the shards that the weights were trained on: others hold out other people. Rendered people whom the weights have met\nare left out and counted; of photographs nobody can tell. For photographs of real people:\n  omni-id evaluate --stage people --data SET -o results/real-people.json",
    )
    .action(async (options, command) => {
      const out = outFile(options.out ?? join("results", `${STAGES[options.stage]}.json`), { kind: "report" });
      useDevice(options.device);
      if (options.threads) setNumThreads(options.threads);
      const folder = options.weights ?? shippedWeights();
      const sheet = options.sheet === undefined ? undefined : outFile(options.sheet, { kind: "picture" });
      const picture = outFile(join(dirname(out), `${basename(out, extname(out))}.png`), { kind: "picture" });
      const onProgress = (what: string) => note(`${what} …`);
      if (options.stage === "personalise") {
        const weights = options.weights ?? shippedWeights("nano-scenes");
        const data = command.getOptionValueSource("data") === "default" ? undefined : options.data;
        const judge = judgesOf(options.judge, options.judgeInput).independent;
        const { report, lines } = await personalise({ ...options, data, weights, judge, picture, onProgress });
        writeAtomically(out, reportText(report));
        print(report, { json: options.json, text: [...lines, `${out} · ${picture}`].join("\n") });
        return;
      }
      if (options.people === "all") throw new UsageError("--people all: of --stage personalise alone");
      const { stage, data, people: which } = options;
      const encoder = await loadRepresentation(folder);
      const { mtd, flow } = encoder.preset;
      const sizes = {
        mtd: mtd.imageSize,
        flow: flow.imageSize,
        people: flow.imageSize,
        references: options.size,
        tables: flow.imageSize,
      };
      const imageSize = sizes[stage];
      const from = { data, cache: options.cache, folder };
      const people = await open(from, encoder, which, imageSize);
      const training = options.colourOnly ? () => open(from, encoder, "train", imageSize) : undefined;
      const against = options.against === undefined ? undefined : readOtherReport(options.against);
      const judges = judgesOf(options.judge, options.judgeInput);
      const common = { folder, encoder, people, judges, against, seed: options.seed, picture };
      const keep = join(options.cache, "drawn");
      if (stage === "people") {
        const { report, lines } = await realPeople({ ...options, ...common, sheet, keep, onProgress });
        writeAtomically(out, reportText(withHalf(out, options.half, report)));
        print(report, { json: options.json, text: [...lines, [out, sheet].filter(Boolean).join(" · ")].join("\n") });
        return;
      }
      const measure = { mtd: firstStage, tables, references, flow: generation }[stage];
      const { report, lines } = await measure({ ...options, ...common, training, keep, onProgress });
      writeAtomically(out, reportText(report));
      print(report, { json: options.json, text: [...lines, `${out} · ${picture}`].join("\n") });
    });
}

interface Measured {
  report: object;
  lines: string[];
}

interface MeasureOptions {
  folder: string;
  encoder: LoadedEncoder<Representation>;
  people: People;
  judges: Judges<Judge>;
  against: OtherReport | undefined;
  seed: number;
  picture: string;
  onProgress: (what: string) => void;
}

async function firstStage({ folder, picture, ...options }: MeasureOptions): Promise<Measured> {
  const { people } = options;
  const encoder = await loadEncoder(folder); // a representation that has no stage one is told so
  const decoder = await loadMaskedDecoder(folder, encoder);
  const { report, tasks, reconstructions } = autocast(
    { dtype: "bfloat16", enabled: preferredPrecision() === "bfloat16" },
    () => evaluateFirstStage({ ...options, encoder, decoder }),
  );
  const lines = describeFirstStage(report);
  await saveReconstructionSheet(picture, {
    people,
    tasks,
    made: reconstructions,
    title: "Omni-ID nano, stage one: people it has never seen",
    notes: lines,
  });
  return { report, lines };
}

async function generation(
  options: MeasureOptions & { training?: () => Promise<People>; guidance?: number; steps?: number; keep: string },
): Promise<Measured> {
  const { folder, encoder, people, picture, steps = STEPS } = options;
  const generator = await FaceGenerator.load(folder, encoder);
  const { guidance = generator.guidance } = options;
  const { report, tasks, pictures } = await evaluateGeneration({ ...options, generator, guidance, steps });
  const lines = describeGeneration(report);
  const title = "Omni-ID nano: people it has never seen, drawn from noise in the pose of another photo";
  await saveGenerationSheet(picture, { people, tasks, pictures, title, notes: lines });
  return { report, lines };
}

async function tables(
  options: MeasureOptions & { guidance?: number; steps?: number; poses: boolean },
): Promise<Measured> {
  const { folder, encoder, people, picture, seed, steps = STEPS, poses, onProgress } = options;
  const generator = await FaceGenerator.load(folder, encoder);
  const { guidance = generator.guidance } = options;
  const { report, ...made } = await tableFigures({ generator, people, guidance, steps, seed, poses, onProgress });
  const { idSimilarity: likeness, poseError: pose } = report;
  const lines = [
    `ID similarity ${likeness[1].mean.toFixed(3)} / ${likeness[3].mean.toFixed(3)} / ${likeness[5].mean.toFixed(3)} at 1 / 3 / 5 photos`,
    `nobody's identity ${likeness.bareBase.mean.toFixed(3)}; real photos: same person ${likeness.samePerson.mean.toFixed(3)}, other person ${likeness.otherPerson.mean.toFixed(3)}`,
    ...(pose ? [`pose error ${pose[1].mean.toFixed(1)} / ${pose[3].mean.toFixed(1)} degrees at 1 / 3 photos`] : []),
  ];
  await saveTableStrip(picture, { people, ...made, title: encoder.name });
  return { report, lines };
}

async function realPeople(
  options: Omit<MeasureOptions, "picture" | "against"> & {
    data: string;
    guidance?: number;
    steps?: number;
    landmarks: boolean;
    keep: string;
    sheet: string | undefined;
  },
) {
  const { folder, data, encoder, people, judges, seed, steps = STEPS, keep, sheet, onProgress } = options;
  const generator = await FaceGenerator.load(folder, encoder);
  const landmarks = options.landmarks && generator.hasControl;
  const shards = await ShardSet.open(data);
  const judge = judges.independent;
  const how = { judge, guidance: options.guidance, steps, landmarks, seed, keep, sheet, onProgress };
  return measurePeople({ generator, shards, people, ...how });
}

async function references(
  options: MeasureOptions & { base: "klein" | "klein-distilled"; size: number; guidance?: number; steps?: number },
): Promise<Measured> {
  const { base: name, people, picture, size } = options;
  const model = name === "klein" ? "base" : "distilled";
  const base = loadKleinBase(
    { ...presets.klein, flow: { ...presets.klein.flow, imageSize: size } },
    { model, device: defaultDevice() },
  );
  const { report, tasks, pictures } = await evaluateReferences({ ...options, base, name });
  const lines = describeReferences(report);
  await saveReferencesSheet(picture, { people, tasks, pictures, title: `${name}: its own references`, notes: lines });
  return { report, lines };
}

async function open(
  { data, cache, folder }: { data: string; cache: string; folder: string },
  { bundle, preset }: LoadedEncoder<Representation>,
  part: "test" | "validation" | "train",
  imageSize: number,
): Promise<People> {
  const shards = await ShardSet.open(data);
  const people = await preparePeople({
    shards,
    ids: part === "train" ? splitOf(shards).train : neverMet(shards, { part, weights: [folder], note }),
    backbone: bundle.encoder.backbone,
    recogniser: () => RecogniserBackbone.load({ width: preset.backbone.width }),
    imageSize,
    faceMask: preset.faceMask,
    cache,
    jitter: part === "train",
  });
  if (part === "train") return people;
  const tested = people.withPhotos(LEAST_TESTED);
  if (tested.ids.length === 0) throw new Error(`${data}: nobody of the ${part} people has two photos`);
  return tested;
}
