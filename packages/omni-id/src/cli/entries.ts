import { Command } from "commander";

/** A command, told of before it is loaded: `--help` and `doctor` work where LibTorch does not. */
export interface Entry {
  about: string;
  load: (words: readonly string[]) => Promise<unknown>;
}

/**
 * One command of a list: loaded where it is named, else its name and what it is about.
 * @param at where on the command line its name would stand @param words the whole command line
 */
export async function entryCommand(
  name: string,
  { about, load }: Entry,
  at: readonly string[],
  words: readonly string[],
): Promise<Command> {
  const command = at.includes(name) ? ((await load(words)) as Command) : new Command(name);
  return command.description(about);
}

/** A command of commands. */
export async function named(
  name: string,
  entries: Readonly<Record<string, Entry>>,
  words: readonly string[],
): Promise<Command> {
  const command = new Command(name);
  // The word behind the command's name, or behind that of "help".
  const behind = words.slice(words.indexOf(name) + 1).slice(0, 2);
  for (const [sub, entry] of Object.entries(entries)) {
    command.addCommand(await entryCommand(sub, entry, behind, words));
  }
  return command;
}
