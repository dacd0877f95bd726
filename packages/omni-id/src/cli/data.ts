import { type Entry, named } from "./entries.ts";

/** What stands under `omni-id data`; each is loaded when it is named. */
const COMMANDS: Readonly<Record<string, Entry>> = {
  synth: {
    about: "render synthetic people into WebDataset shards; interrupted, it goes on where it stopped",
    load: async () => (await import("./synth.ts")).synthCommand(),
  },
  curate: {
    about: "find people in videos and pick eight faces of each: WebDataset shards and a report (paper, 3.4)",
    load: async () => (await import("./curate.ts")).curateCommand(),
  },
  import: {
    about: "photographs of people into WebDataset shards and a report: faces found, aligned, measured",
    load: async () => (await import("./import.ts")).importCommand(),
  },
  fetch: {
    about: "bring a published set of photographs to this machine, its terms first, and import it: lfw",
    load: async () => (await import("./fetch.ts")).fetchCommand(),
  },
  merge: {
    about:
      "join what `data curate` or `data import` wrote with --shard i/n into one set; people of a video in two parts are taken once",
    load: async () => (await import("./curate.ts")).mergeCommand(),
  },
  prepare: {
    about: "cut a set's pictures once, at a preset's sizes, into shards that training streams from here or elsewhere",
    load: async () => (await import("./data-prepare.ts")).prepareCommand(),
  },
  remove: {
    about: "take a person, or everybody of a video, out of a set (consent withdrawn), and prove it",
    load: async () => (await import("./curate.ts")).removeCommand(),
  },
  films: {
    about: "render videos of synthetic people with their truth beside them: what a curation has to cope with",
    load: async () => (await import("./films.ts")).filmsCommand(),
  },
  evaluate: {
    about: "measure the curation on synthetic videos whose truth is known",
    load: async () => (await import("./films.ts")).evaluateCurationCommand(),
  },
  inspect: {
    about: "a contact sheet of a set: masks bright, landmarks drawn in",
    load: async () => (await import("./inspect.ts")).inspectCommand(),
  },
  stats: {
    about: "count a set: poses, sizes, and in how many images the detector finds a face",
    load: async () => (await import("./inspect.ts")).statsCommand(),
  },
};

/** @param words the command line, "data" and what stands behind it */
export async function dataCommand(words: readonly string[]) {
  return named("data", COMMANDS, words);
}
