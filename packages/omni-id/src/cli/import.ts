import { resolve } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { importPhotos, importSettings, parsePart, type SetResult } from "@omni-id/data";
import { setProgress } from "./curate-progress.ts";
import { count } from "./options.ts";
import { outFolder } from "./out-file.ts";
import { Interrupted, interruptible, note, print } from "./output.ts";
import { tellTroubles } from "./set-troubles.ts";

export function importCommand() {
  return new Command("import")
    .argument(
      "<places...>",
      "folders with one folder a person, or of name_0001.jpg; or tables (.csv) of file and person",
    )
    .requiredOption("-o, --out <folder>", "folder of the set")
    .option("--preset <name>", "nano (160 px pictures) or paper (512 px, faces of more than 320)", "nano")
    .option("--set <key=value...>", "replace values of the preset, such as minSize=64 sameFace=0.35")
    .option("--quality <file>", "ONNX file of a face-quality model (TOPIQ), instead of the built-in measure")
    .option("--shard <i/n>", "every n-th person only, from the i-th on; join the parts with: omni-id data merge")
    .option("--workers <number>", "worker threads (default: one a core)", count)
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      "\nA folder that holds pictures is a person. Words beside a picture (photo.txt beside photo.jpg, or a column\n" +
        "`caption`) are taken over; where there are none, pose and light are measured and told in words.\n" +
        "Interrupted or killed, the same command goes on where it stopped and ends in the same bytes. Look at\n" +
        "OUT/report.html before training on the set. Use photographs of people who agreed.",
    )
    .action(async (places, options) => {
      await runImport(places, options);
    });
}

export interface ImportRun {
  out: string;
  preset: string;
  set?: string[];
  quality?: string;
  shard?: string;
  workers?: number;
  json?: boolean;
}

/** Makes a set of photos, with what a person is told of it. @throws Interrupted when Ctrl-C ended it */
export async function runImport(places: readonly string[], options: ImportRun): Promise<void> {
  const settings = importSettings(options.preset, options.set);
  const part = options.shard ? parsePart(options.shard) : undefined;
  outFolder(options.out, { inputs: places });
  const { signal, release } = interruptible();
  const bar = setProgress({ sources: "people", frames: "photos" });
  const { out, workers, quality } = options;
  const result = await importPhotos({ places, out, settings, part, workers, quality, onProgress: bar.update, signal });
  bar.stop();
  release();
  tellTroubles(result, { source: "folder", clip: "photo" });
  if (!result.finished) {
    note("stopped; the same command goes on where it stopped");
    throw new Interrupted();
  }
  print(result, {
    json: options.json,
    text: `${told(result)}\nset in ${resolve(out)}\nlook at ${resolve(result.report)}`,
  });
  if (result.failed.length > 0) {
    throw new Error(`${result.failed.length} people failed; see above. The same command tries them again`);
  }
}

function told({ summary }: SetResult): string {
  const { identities, kept, videos, clips, emptyFrames, dropped } = summary;
  const reasons = Object.entries(dropped).filter(([, number]) => number > 0);
  const left = reasons.length > 0 ? `; faces left out: ${reasons.map(([why, n]) => `${why} ${n}`).join(", ")}` : "";
  return `${identities} people with ${kept} pictures, of ${videos} people and ${clips} photos; ${emptyFrames} photos show no face${left}`;
}
