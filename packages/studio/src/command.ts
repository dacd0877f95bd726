import { once } from "node:events";
import { resolve } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { InvalidArgumentError } from "commander";
import { serveExport } from "./server/static-host.ts";
import { startStudio } from "./start.ts";

/** `omni-id studio`: loaded by the command line of omni-id where this package is installed. */
export function studioCommand() {
  return new Command("studio")
    .option("--port <number>", "port to listen on; 0 takes any that is free", port, 4600)
    .option("--address <address>", "address to listen on; others than 127.0.0.1 ask for a token", "127.0.0.1")
    .option("--name <name...>", "names by which other machines call this one")
    .option("--token <words>", "token to ask for (default: a random one, where one is needed)")
    .option("--identities <folder>", "folder in which identities are saved (default: none is kept)")
    .option("--runs <folder>", "trainings whose curves are shown", "runs")
    .option("--sets <folder...>", "sets of people that are shown (default: data and mfhq)")
    .option("--results <folder>", "results that are shown", "results")
    .option("--weights <folder>", "folder of the weights (default: the shipped ones)")
    .option("--device <name>", "cpu or cuda", "cpu")
    .option("--export <folder>", "serve what `omni-id export --web` wrote, and nothing else")
    .addHelpText(
      "after",
      `
Photos stay in the memory of this process; nothing is written unless it is saved. Ctrl-C ends it.

Examples:
  omni-id studio --identities people
  omni-id export --web out/studio && omni-id studio --export out/studio
  omni-id studio --address 0.0.0.0 --name studio.example.org`,
    )
    .action(async ({ name, sets = ["data", "mfhq"], runs, results, export: folder, ...options }) => {
      const { url, close } =
        folder === undefined
          ? await startStudio({ ...options, names: name, places: { runs, sets, results } })
          : await serveExport(resolve(folder), { ...options, names: name });
      process.stdout.write(`${url}\n`);
      process.stderr.write("open this address in a browser; Ctrl-C ends the studio\n");
      await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
      await close();
    });
}

function port(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isInteger(value) && value >= 0 && value < 65536) return value;
  throw new InvalidArgumentError(`"${text}" is no port: 0 to 65535.`);
}
