import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { type Entry, entryCommand } from "./entries.ts";
import { setGivenWords } from "./given-words.ts";
import { EXIT, explain, Interrupted, UsageError } from "./output.ts";

const COMMANDS: Readonly<Record<string, Readonly<Record<string, Entry>>>> = {
  "Identities:": {
    demo: {
      about: "photos of one person → one identity → a contact sheet with the measured numbers",
      load: async () => (await import("./demo.ts")).demoCommand(),
    },
    encode: {
      about: "photos of one person → one identity file",
      load: async () => (await import("./encode.ts")).encodeCommand(),
    },
    compare: {
      about: "how alike two identities are: higher for the same person",
      load: async () => (await import("./compare.ts")).compareCommand(),
    },
    generate: {
      about: "new pictures of a person, from nothing but the identity file",
      load: async () => (await import("./generate.ts")).generateCommand(),
    },
    reconstruct: {
      about: "draw an identity into a photo of which the decoder sees 5 %",
      load: async () => (await import("./reconstruct.ts")).reconstructCommand(),
    },
    studio: {
      about: "all of this in a browser: a page, and its server on this machine",
      load: async () => (await import("./studio.ts")).studioCommand(),
    },
  },
  "Training and measuring:": {
    attention: {
      about: "what each query of the encoder looks at in photos of yours, drawn over them (figure 10)",
      load: async () => (await import("./attention.ts")).attentionCommand(),
    },
    data: {
      about: "make, look at and count training data",
      load: async (words) => (await import("./data.ts")).dataCommand(words),
    },
    plan: {
      about: "what a training takes before it is started: memory, hours, disk",
      load: async () => (await import("./plan.ts")).planCommand(),
    },
    train: {
      about: "train a stage; resumable, bit for bit",
      load: async () => (await import("./train.ts")).trainCommand(),
    },
    evaluate: {
      about: "measure a stage on the held-out people: JSON and a picture",
      load: async () => (await import("./evaluate.ts")).evaluateCommand(),
    },
    verify: {
      about: "how well identities tell people apart on photos of yours: one folder of photos a person",
      load: async () => (await import("./verify.ts")).verifyCommand(),
    },
    reproduce: {
      about: "the paper's tables at nano scale, every arm and seed, beside its own numbers; resumable",
      load: async () => (await import("./reproduce.ts")).reproduceCommand(),
    },
    presets: {
      about: "the presets' values, and where nano departs from the paper",
      load: async () => (await import("./presets.ts")).presetsCommand(),
    },
    export: {
      about: "write trained weights for shipping, in 16 bits, with a model card each",
      load: async () => (await import("./export.ts")).exportCommand(),
    },
  },
  "This machine:": {
    models: {
      about: "the third-party models in use: what they are, their licences, whether they are here and whole",
      load: async () => (await import("./models.ts")).modelsCommand(),
    },
    parity: {
      about: "our models against the outputs of a reference implementation",
      load: async () => (await import("./parity.ts")).parityCommand(),
    },
    doctor: {
      about: "what this machine has, what is missing, and the command that mends it",
      load: async () => (await import("./doctor.ts")).doctorCommand(),
    },
  },
};

const EXAMPLES = `
Examples:
  omni-id demo                                  the main job on shipped weights, a picture at the end
  omni-id demo my-photos/*.jpg                  the same with photos of one person of yours
  omni-id encode alice/*.jpg -o alice.safetensors
  omni-id compare alice.safetensors bob.safetensors
  omni-id generate --id alice.safetensors --pose 20,0,0 -n 8 -o alice.png
  omni-id data synth && omni-id train mtd       render people, then train on them

omni-id <command> --help says more. Results go to stdout (--json: for programs), notes and progress to stderr.
Exit codes: 0 done, 1 it failed (the message says why), 2 the command line was wrong, 130 interrupted.
Everything stays on this machine: no telemetry, no uploads.`;

async function program(args: readonly string[]): Promise<Command> {
  const root = new Command()
    .name("omni-id")
    .description("Any number of photos of one person → one identity, made for generating that person.")
    .addHelpText("after", EXAMPLES)
    .version(version(), "-V, --version", "print the version")
    .commandsGroup("This machine:")
    .helpCommand("help [command]", "the same as <command> --help");
  for (const [group, entries] of Object.entries(COMMANDS)) {
    for (const [name, entry] of Object.entries(entries)) {
      // The first word, or the second after "help".
      const command = await entryCommand(name, entry, args.slice(0, 2), args);
      root.addCommand(command.helpGroup(group));
    }
  }
  setUp(root);
  return root;
}

function version(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

/** Commands must not end the process: `run` turns everything into an exit code. */
function setUp(command: Command): void {
  command.exitOverride().showHelpAfterError("(run with --help for what there is)");
  for (const sub of command.commands) setUp(sub as Command);
}

/** Runs one command line; returns its exit code and never throws. */
export async function run(args: readonly string[]): Promise<number> {
  setGivenWords(args);
  try {
    await (await program(args)).parseAsync([...args], { from: "user" });
    return EXIT.done;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    if (error instanceof Interrupted) return EXIT.interrupted;
    process.stderr.write(`omni-id: ${explain(error)}\n`);
    return error instanceof UsageError ? EXIT.usage : EXIT.failed;
  }
}
