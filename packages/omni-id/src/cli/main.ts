import { Command } from "@commander-js/extra-typings";
import { CommanderError } from "commander";
import { compareCommand } from "./compare.ts";
import { dataCommand } from "./data.ts";
import { demoCommand } from "./demo.ts";
import { doctorCommand } from "./doctor.ts";
import { encodeCommand } from "./encode.ts";
import { evaluateCommand } from "./evaluate.ts";
import { exportCommand } from "./export.ts";
import { generateCommand } from "./generate.ts";
import { modelsCommand } from "./models.ts";
import { EXIT, explain } from "./output.ts";
import { parityCommand } from "./parity.ts";
import { reconstructCommand } from "./reconstruct.ts";
import { trainCommand } from "./train.ts";
import { verifyCommand } from "./verify.ts";

const EXAMPLES = `
Examples:
  omni-id demo                                  the main job on shipped weights, a picture at the end
  omni-id demo my-photos/*.jpg                  the same with photos of one person of yours
  omni-id encode alice/*.jpg -o alice.safetensors
  omni-id compare alice.safetensors bob.safetensors
  omni-id generate --id alice.safetensors --pose 20,0,0 -n 8 -o alice.png
  omni-id train mtd --data data/synth --out runs/mtd

Exit codes: 0 done, 1 it failed (the message says why), 2 the command line was wrong.
Everything stays on this machine: no telemetry, no uploads.`;

function program(): Command {
  const root = new Command()
    .name("omni-id")
    .description("Any number of photos of one person → one identity, made for generating that person.")
    .showHelpAfterError("(run with --help for what there is)")
    .addHelpText("after", EXAMPLES)
    .exitOverride();
  for (const command of [
    demoCommand(),
    encodeCommand(),
    compareCommand(),
    generateCommand(),
    reconstructCommand(),
    dataCommand(),
    trainCommand(),
    evaluateCommand(),
    verifyCommand(),
    exportCommand(),
    modelsCommand(),
    parityCommand(),
    doctorCommand(),
  ]) {
    root.addCommand(command as unknown as Command);
  }
  inherit(root);
  return root;
}

/** Subcommands must not end the process either: `run` turns everything into an exit code. */
function inherit(command: Command): void {
  for (const sub of command.commands) {
    sub.exitOverride().showHelpAfterError("(run with --help for what there is)");
    inherit(sub as Command);
  }
}

/** Runs one command line; returns its exit code and never throws. */
export async function run(args: readonly string[]): Promise<number> {
  try {
    await program().parseAsync([...args], { from: "user" });
    return EXIT.done;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    process.stderr.write(`omni-id: ${explain(error)}\n`);
    return EXIT.failed;
  }
}
