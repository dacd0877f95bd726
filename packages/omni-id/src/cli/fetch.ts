import { createInterface } from "node:readline/promises";
import { Argument, Command } from "@commander-js/extra-typings";
import { fetchLfw, LFW_TERMS } from "@omni-id/data";
import { runImport } from "./import.ts";
import { count } from "./options.ts";
import { outFolder } from "./out-file.ts";
import { Interrupted, interruptible, note, progress, UsageError } from "./output.ts";

const MB = 1e6;

export function fetchCommand() {
  return new Command("fetch")
    .addArgument(new Argument("<set>", "lfw: Labeled Faces in the Wild").choices(["lfw"] as const))
    .option("-o, --out <folder>", "folder of the set", "data/lfw")
    .option("--photos <folder>", "folder of what is brought, to be deleted when you like", "data/lfw-photos")
    .option("--agree", "the terms are known and agreed to; else they are shown, and you are asked")
    .option("--from <address>", "another address of the same archive; what comes is checked all the same")
    .option("--workers <number>", "worker threads of the import (default: one a core)", count)
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      "\nThe one command that brings photographs from elsewhere, and it is asked for by name. Broken off, the same\n" +
        "command goes on where it stopped. Without a terminal the terms are shown, and nothing is brought until --agree.",
    )
    .action(async (_, options) => {
      note(`${LFW_TERMS}\n`);
      if (!options.agree && !(await agreed())) throw new UsageError("nothing was brought; to agree, add --agree");
      outFolder(options.out, { inputs: [options.photos] });
      const { signal, release } = interruptible();
      const bar = progress("MB");
      const photos = await fetchLfw({
        folder: outFolder(options.photos),
        from: options.from,
        signal,
        onProgress: (done, total) => bar.update(Math.floor(done / MB), Math.ceil((total ?? 2 * done) / MB)),
      })
        .catch((error: Error) => {
          if (!signal.aborted) throw error;
          throw new Interrupted();
        })
        .finally(() => {
          bar.stop();
          release();
        });
      await runImport([photos], { ...options, preset: "nano" });
    });
}

/** Asks whoever sits at the terminal; nobody has agreed where there is none. */
async function agreed(): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return false;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question("Bring these photographs to this machine? [y/N] ")).trim());
  } finally {
    lines.close();
  }
}
