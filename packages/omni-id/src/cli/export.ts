import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { ShardSet, splitOf } from "@omni-id/data";
import { openSafetensors, writeAtomically } from "@omni-id/torch";
import { RecogniserBackbone } from "../backbones/recogniser.ts";
import { preparePeople } from "../people/prepare.ts";
import { fitKnownPeople } from "../train/export.ts";
import { modelCard } from "../train/model-card.ts";
import {
  openWeightsFile,
  readWeightsPreset,
  WEIGHTS_DTYPES,
  type WeightsDType,
  type WeightsNote,
} from "../weights/file.ts";
import {
  type LoadedEncoder,
  loadEncoder,
  loadFirstStage,
  loadRepresentation,
  saveEncoder,
  saveMaskedDecoder,
} from "../weights/first-stage.ts";
import {
  ADAPTER_FILE,
  AUTOENCODER_FILE,
  CONTROL_FILE,
  FLUX_FILE,
  loadControl,
  loadFlowAdapter,
  loadFlowBase,
  PROMPTS_FILE,
  publishedPreset,
  saveControl,
  saveFlowAdapter,
  saveFlowBase,
} from "../weights/flow.ts";
import { DECODER_FILE, ENCODER_FILE } from "../weights/folder.ts";
import { KNOWN_FILE, type KnownPeople, loadKnownPeople, saveKnownPeople } from "../weights/known-people.ts";
import { exportOnnxFiles, exportWeb } from "./export-models.ts";
import { jsonOption } from "./options.ts";
import { outFolder } from "./out-file.ts";
import { print, UsageError } from "./output.ts";

export function exportCommand() {
  return new Command("export")
    .option("-o, --out <folder>", "weights: folder of the files to write, such as weights/nano")
    .option("--onnx <folder>", "ONNX files for anybody's use, with a README of what goes in and comes out")
    .option("--web <folder>", "the page with its models, which encodes and draws in a visitor's browser")
    .option(
      "--weights <folder>",
      "trained weights: of stage one, or all of them; --onnx and --web take the shipped ones when this is left out",
      "runs/weights",
    )
    .option(
      "--known <folder>",
      "shards of the training people: write anew in what their identities differ; that alone where -o is --weights",
    )
    .option("--cache <folder>", "of --known: prepared crops and feature maps", "data/cache")
    .addOption(
      new Option("--dtype <name>", "what parameters are stored as").choices(WEIGHTS_DTYPES).default("float16" as const),
    )
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Loading gives float32 again. Identities name the encoder by its file's hash: those of the trained weights and those of
the exported ones do not mix. In a checkout, \`npm run numbers\` fills the cards' tables from results.

Examples:
  omni-id export -o weights/nano-scenes --weights runs/personalise/weights --dtype int8
  omni-id export --onnx out/onnx                 the shipped models for ONNX Runtime
  omni-id export --web out/studio                a folder that any web server can serve`,
    )
    .action(async ({ out, onnx, web, dtype, json, ...options }, command) => {
      const [, ...more] = [out, onnx, web].filter((folder) => folder !== undefined);
      if (more.length > 0) throw new UsageError("-o, --onnx and --web are each an export of its own: choose one");
      const { weights } = options;
      const given = command.getOptionValueSource("weights") === "default" ? undefined : weights;
      if (onnx !== undefined) return exportOnnxFiles(onnx, { weights: given, dtype, json });
      if (web !== undefined) return exportWeb(web, { weights: given, json });
      if (out === undefined) throw new UsageError("say what to export: -o for weights, --onnx or --web");
      if (options.known !== undefined && resolve(out) === resolve(weights)) {
        const encoder = await loadEncoder(weights);
        const known = await knownPeopleOf(options.known, encoder, options.cache);
        const { preset, metadata } = encoder;
        await saveKnownPeople(out, { known, preset, metadata, dtype, encoderHash: encoder.hash });
        const bytes = await writeCard(out, KNOWN_FILE, dtype);
        const told = { folder: out, dtype, files: [KNOWN_FILE], bytes };
        return print(told, { json, text: `${join(out, KNOWN_FILE)}: ${(bytes / 1e6).toFixed(1)} MB` });
      }
      outFolder(out, { inputs: [weights] });
      const tell = async (files: readonly string[], hash: string) => {
        const sizes = await Promise.all(files.map((file) => writeCard(out, file, dtype)));
        const lines = files.map((file, i) => `${join(out, file)}: ${(sizes[i] / 1e6).toFixed(1)} MB`);
        const total = sizes.reduce((sum, size) => sum + size, 0);
        const text = [...lines, `${(total / 1e6).toFixed(1)} MB together, encoder ${hash.slice(0, 12)}`].join("\n");
        print({ folder: out, dtype, hash, files, bytes: total }, { json, text });
      };
      if (drawsScenes(weights)) {
        const hash = await sceneEncoder(out, weights);
        return tell(await exportFlowWeights(out, weights, { encoder: { hash }, hash, dtype }), hash);
      }
      const { encoder, decoder } = await loadFirstStage(weights);
      const { bundle, preset, metadata } = encoder;
      const hash = await saveEncoder(out, { bundle, preset, metadata, dtype });
      const note = await noteOf(join(weights, DECODER_FILE), dtype);
      await saveMaskedDecoder(out, { decoder, encoderHash: hash, ...note });
      const files: string[] = [ENCODER_FILE, DECODER_FILE];
      files.push(...(await exportFlowWeights(out, weights, { encoder, hash, dtype })));
      const known = await knownPeople(weights, encoder, { ...options, dtype });
      if (known) {
        await saveKnownPeople(out, { ...known, encoderHash: hash });
        files.push(KNOWN_FILE);
      }
      return tell(files, hash);
    });
}

/** Whether a folder's flow base draws scenes. */
function drawsScenes(weights: string): boolean {
  const file = join(weights, FLUX_FILE);
  return existsSync(file) && readWeightsPreset(file, "base").flow.pictures === "scenes";
}

/** The encoder of weights that draw scenes stays as it is, for identity files name it: the shipped one, or a copy. */
async function sceneEncoder(out: string, weights: string): Promise<string> {
  const { hash: shipped } = await loadRepresentation();
  const file = join(weights, ENCODER_FILE);
  if (!existsSync(file)) return shipped;
  const { hash } = await loadRepresentation(weights);
  if (hash !== shipped) copyFileSync(file, join(out, ENCODER_FILE));
  return hash;
}

/**
 * Flow base, adapter and ControlNet, as far as they are there; they name each other and the encoder by the hashes of the
 * new files. A published base stays where it is.
 */
async function exportFlowWeights(
  out: string,
  weights: string,
  { encoder, hash: encoderHash, dtype }: { encoder: Pick<LoadedEncoder, "hash">; hash: string; dtype: WeightsDType },
): Promise<string[]> {
  const has = (file: string) => existsSync(join(weights, file));
  const published = publishedPreset(weights);
  if (!published && !has(FLUX_FILE)) {
    const orphan = [ADAPTER_FILE, CONTROL_FILE].find(has);
    if (!orphan) return []; // stage one alone
    throw new Error(`${join(weights, orphan)}: the flow base that it was trained on (${FLUX_FILE}) is not beside it`);
  }
  const base = await loadFlowBase(weights, published);
  const note = (file: string) => noteOf(join(weights, file), dtype);
  const files: string[] = [];
  let baseHash = base.hash;
  if (!published) {
    baseHash = await saveFlowBase(out, { base: base.base, ...(await note(FLUX_FILE)) });
    files.push(FLUX_FILE, AUTOENCODER_FILE, PROMPTS_FILE);
  }
  if (has(ADAPTER_FILE)) {
    const decoder = await loadFlowAdapter(weights, { encoder, base });
    await saveFlowAdapter(out, { decoder, encoderHash, baseHash, ...(await note(ADAPTER_FILE)) });
    files.push(ADAPTER_FILE);
  }
  if (has(CONTROL_FILE)) {
    const control = await loadControl(weights, base);
    await saveControl(out, { control, baseHash, ...(await note(CONTROL_FILE)) });
    files.push(CONTROL_FILE);
  }
  return files;
}

/** In what training people differ: of shards that are named, else what lies there; nothing where there is neither. */
async function knownPeople(
  weights: string,
  encoder: LoadedEncoder,
  { known: data, cache, dtype }: { known?: string; cache: string; dtype: WeightsDType },
): Promise<(WeightsNote & { known: KnownPeople }) | undefined> {
  if (data === undefined) {
    const known = await loadKnownPeople(weights, encoder);
    return known && { known, ...(await noteOf(join(weights, KNOWN_FILE), dtype)) };
  }
  const { preset, metadata } = encoder;
  return { known: await knownPeopleOf(data, encoder, cache), preset, metadata, dtype };
}

/** In what the training people of some shards differ. */
async function knownPeopleOf(data: string, { preset, bundle }: LoadedEncoder, cache: string): Promise<KnownPeople> {
  const shards = await ShardSet.open(data);
  const people = await preparePeople({
    shards,
    ids: splitOf(shards).train,
    backbone: bundle.encoder.backbone,
    recogniser: () => RecogniserBackbone.load({ width: preset.backbone.width }),
    imageSize: preset.mtd.imageSize,
    faceMask: preset.faceMask,
    cache,
    jitter: true,
  });
  return fitKnownPeople(bundle.encoder, people);
}

/** How a file was trained, to be told by the exported one too. */
async function noteOf(file: string, dtype: WeightsDType): Promise<WeightsNote> {
  const { preset, metadata } = await openWeightsFile(file, "mtd");
  return { preset, metadata, dtype };
}

/** Writes a file's model card beside it; returns the file's size in bytes. */
async function writeCard(folder: string, file: string, dtype: WeightsDType): Promise<number> {
  const path = join(folder, file);
  const size = readFileSync(path).length;
  const { preset, metadata, hash } = await openWeightsFile(path, "mtd");
  const opened = openSafetensors(path);
  const parameters = opened
    .keys()
    .map((key) => opened.get(key).numel)
    .reduce((sum, numel) => sum + numel, 0);
  opened.close();
  writeAtomically(
    join(folder, `${basename(file, ".safetensors")}.md`),
    modelCard({ file, hash, size, parameters, dtype, preset, metadata }),
  );
  return size;
}
