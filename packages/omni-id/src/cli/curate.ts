import { existsSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command } from "@commander-js/extra-typings";
import {
  curate,
  curateSettings,
  type Dataset,
  mergeParts,
  parsePart,
  recogniserLikeness,
  removeVideo,
} from "@omni-id/data";
import { setProgress } from "./curate-progress.ts";
import { whole } from "./options.ts";
import { outFolder } from "./out-file.ts";
import { Interrupted, interruptible, note, print, progress, UsageError } from "./output.ts";
import { tellTroubles } from "./set-troubles.ts";

export function curateCommand() {
  return new Command("curate")
    .argument("<videos...>", "folders of videos, video files, or .txt files that list some")
    .requiredOption("-o, --out <folder>", "folder of the set")
    .option("--preset <name>", "nano (160 px pictures) or paper (512 px, faces of more than 448)", "nano")
    .option("--set <key=value...>", "replace values of the preset, such as fps=10 minQuality=0.2")
    .option("--celebv-hq <file>", "read only the clips of celebvhq_info.json")
    .option("--celebv-text <file>", "read only the clips of celebvtext_info.json")
    .option("--vfhq <folder>", "read only the clips of VFHQ's meta_info")
    .option("--talkinghead-1kh <file>", "read only the clips of a *_video_tubes.txt")
    .option(
      "--captions <folder>",
      "texts for the caption slot: {clip}.txt or {video}.txt, of which the first line counts",
    )
    .option("--quality <file>", "ONNX file of a face-quality model (TOPIQ), instead of the built-in measure")
    .option("--shard <i/n>", "curate every n-th video only, from the i-th on; join the parts with: omni-id data merge")
    .option("--workers <number>", "worker threads (default: one a core)", whole)
    .option("--ffmpeg <file>", "ffmpeg (default: FFMPEG_PATH, or the one on PATH)")
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      "\nInterrupted or killed, the same command goes on where it stopped and ends in the same bytes.\n" +
        "Look at OUT/report.html before training on the set: a wrong threshold shows there in a minute.",
    )
    .action(async (videos, options) => {
      const settings = curateSettings(options.preset, options.set);
      const part = options.shard ? parsePart(options.shard) : undefined;
      outFolder(options.out, { inputs: [...videos, ...(options.captions ? [options.captions] : [])] });
      const { signal, release } = interruptible();
      const bar = setProgress({ sources: "videos", frames: "frames" });
      const result = await curate({
        sources: { videos, annotations: annotationsOf(options), captions: options.captions },
        out: options.out,
        settings,
        part,
        workers: options.workers,
        ffmpeg: options.ffmpeg,
        quality: options.quality,
        onProgress: bar.update,
        signal,
      });
      bar.stop();
      release();
      tellTroubles(result, { source: "video", clip: "clip" });
      if (!result.finished) {
        note("stopped; the same command goes on where it stopped");
        throw new Interrupted();
      }
      const { identities, kept, videos: count } = result.summary;
      print(result, {
        json: options.json,
        text: `${identities} identities × ${settings.images} faces (${kept} pictures) from ${count} videos in ${resolve(options.out)}\nlook at ${resolve(result.report)}`,
      });
      if (result.failed.length > 0) {
        throw new Error(`${result.failed.length} videos failed; see above. The same command tries them again`);
      }
    });
}

type Annotated = Partial<Record<"celebvHq" | "celebvText" | "vfhq" | "talkinghead1kh", string>>;

function annotationsOf({ celebvHq, celebvText, vfhq, talkinghead1kh }: Annotated): Partial<Record<Dataset, string>> {
  return Object.fromEntries(
    Object.entries({
      "celebv-hq": celebvHq,
      "celebv-text": celebvText,
      vfhq,
      "talkinghead-1kh": talkinghead1kh,
    }).filter(([, file]) => file !== undefined),
  );
}

export function mergeCommand() {
  return new Command("merge")
    .argument("<parts...>", "folders of the parts")
    .requiredOption("-o, --out <folder>", "folder of the whole set")
    .option("--json", "print the result as JSON")
    .action(async (parts, options) => {
      outFolder(options.out, { inputs: parts });
      const bar = progress("videos");
      const result = await mergeParts({
        parts,
        out: options.out,
        likeness: recogniserLikeness,
        onProgress: bar.update,
      });
      bar.stop();
      const { identities, videos, shared, report } = result;
      const twice = shared > 0 ? `, ${shared} of them in several parts` : "";
      print(result, {
        json: options.json,
        text: `${identities} identities from ${videos} videos${twice} in ${resolve(options.out)}\nlook at ${resolve(report)}`,
      });
    });
}

export function removeCommand() {
  return new Command("remove")
    .argument("<folder>", "a set that data curate or data import made")
    .option("--video <id>", "id of the video, as the report and the records name it")
    .option("--person <name>", "of imported photos: the person, as the report and the records name it")
    .option(
      "--cache <folder>",
      "delete the training's prepared crops in this folder too; they are made again when needed",
    )
    .option("--json", "print the proof as JSON")
    .action(async (folder, options) => {
      const source = options.video ?? options.person;
      if (!source || (options.video && options.person)) throw new UsageError("name a --video, or a --person");
      const proof = await removeVideo(folder, source);
      const caches = options.cache ? deleteCaches(options.cache) : [];
      const { identities, pictures, shards, searched } = proof;
      const text = [
        `${source}: ${identities.length} identities removed (${identities.join(", ") || "none were kept of it"})`,
        `${pictures.length} pictures and masks are gone; ${shards.length} shards were written anew`,
        `searched ${searched.files} files and ${searched.entries} entries of shards: no id and no picture of it is left`,
        `removed.json keeps the name, so that it is not taken in again`,
        ...(options.cache ? [`${caches.length} prepared caches deleted in ${options.cache}`] : []),
        "not reached from here: copies and backups of the set, parts it was merged from, prepared caches of a training",
        "(--cache FOLDER), and weights that were trained on it",
      ];
      print({ ...proof, caches }, { json: options.json, text: text.join("\n") });
    });
}

/** Prepared people (`train/prepare.ts`) hold crops of the set they were made from, under a name that does not tell which. */
function deleteCaches(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const caches = readdirSync(folder).filter((name) => /^people-[0-9a-f]{16}$/.test(name));
  for (const name of caches) rmSync(join(folder, name), { recursive: true });
  return caches;
}
