import { resolve } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { curateSettings, describeCuration, drawFilmSet, evaluateCuration, findFfmpeg, shootFilms } from "@omni-id/data";
import { writeAtomically } from "@omni-id/torch";
import { whole } from "./options.ts";
import { outFile, outFolder } from "./out-file.ts";
import { print, progress } from "./output.ts";

export function filmsCommand() {
  return new Command("films")
    .requiredOption("-o, --out <folder>", "folder of the MP4 files")
    .option("--rounds <number>", "films of each of seven kinds", whole, 1)
    .option("--height <pixels>", "height of the frames; they are twice as wide", whole, 240)
    .option("--seed <number>", "other people for another seed", whole, 0)
    .option("--workers <number>", "worker threads (default: one a core)", whole)
    .option("--ffmpeg <file>", "ffmpeg (default: FFMPEG_PATH, or the one on PATH)")
    .action(async ({ out, workers, ffmpeg, ...options }) => {
      const films = drawFilmSet(options);
      outFolder(out);
      const bar = progress("frames filmed");
      await shootFilms(films, { out, workers, ffmpeg: findFfmpeg(ffmpeg).ffmpeg, onProgress: bar.update });
      bar.stop();
      process.stdout.write(`${films.length} films in ${resolve(out)}\n`);
    });
}

export function evaluateCurationCommand() {
  return new Command("evaluate")
    .option("-o, --out <file>", "JSON to write", "results/curation.json")
    .option("--work <folder>", "films and curated set; an interrupted evaluation goes on from them", "data/curation")
    .option("--rounds <number>", "films of each of seven kinds", whole, 4)
    .option("--seed <number>", "other people for another seed", whole, 11)
    .option("--preset <name>", "preset of the curation", "nano")
    .option("--set <key=value...>", "replace values of the preset")
    .option("--json", "print the report as JSON too")
    .action(async (options) => {
      const out = outFile(options.out, { kind: "report" });
      const bars = new Map<string, ReturnType<typeof progress>>();
      const { report } = await evaluateCuration({
        ...options,
        settings: curateSettings(options.preset, options.set),
        onProgress: (what, done, total) => {
          const bar = bars.get(what) ?? progress(what);
          bars.set(what, bar);
          bar.update(done, total);
          if (done === total) bar.stop();
        },
      });
      writeAtomically(out, `${JSON.stringify(report, null, 2)}\n`);
      print(report, { json: options.json, text: [...describeCuration(report), options.out].join("\n") });
    });
}
