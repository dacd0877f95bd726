import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from "node:fs";
import { dirname, extname, resolve } from "node:path";
import { fileFormat } from "@omni-id/face/formats";
import { isStream } from "@omni-id/torch";
import { UsageError } from "./output.ts";

/** What a command writes: the endings that name it, and how a file that stands there already shows that it is one. */
interface OutputKind {
  what: string;
  endings: readonly string[];
  holds: (path: string) => boolean;
}

const OUTPUT_KINDS = {
  identity: { what: "an identity file", endings: [".safetensors"], holds: isIdentity },
  picture: {
    what: "a picture",
    endings: [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".avif"],
    holds: (path) => fileFormat(path)?.kind === "picture",
  },
  report: { what: "a report of measured numbers", endings: [".json"], holds: isReport },
} satisfies Record<string, OutputKind>;

export interface OutFileOptions {
  kind: keyof typeof OUTPUT_KINDS;
  /** Files that the command reads: none of them may be what it writes. */
  inputs?: readonly string[];
}

/**
 * The absolute path of a file to be written; its folder is there afterwards. What stands there already is replaced only
 * by its like: a slip of the finger (`-o *.jpg`) must not cost a photo.
 * @throws {UsageError} before any work is done, when nothing can be written there, or nothing should be
 */
export function outFile(file: string, { kind, inputs = [] }: OutFileOptions): string {
  const { what, endings, holds }: OutputKind = OUTPUT_KINDS[kind];
  if (file === "") throw new UsageError("the output's name is empty; name a file");
  const path = resolve(file);
  const there = statSync(path, { throwIfNoEntry: false });
  if (there?.isDirectory() || /[/\\]$/.test(file)) throw new UsageError(`${file} is a folder; name a file in it`);
  const twin = inputs.find((input) => isSameFile(path, there, input));
  if (twin !== undefined) {
    throw new UsageError(`${file} is also an input (${twin}), and would be replaced by ${what}; name another output`);
  }
  if (there?.isBlockDevice()) throw new UsageError(`${file} is a disk; name a file`);
  if (isStream(path)) return path;
  if (there && there.size > 0 && !holds(path)) {
    const holding = fileFormat(path)?.name ?? "something else";
    throw new UsageError(
      `${file} is there already and holds ${article(holding)}; ${what} would replace it. -o takes the one name that ` +
        `follows it: name a file that is not there, or delete this one`,
    );
  }
  const ending = endingOf(file);
  if (ending && !endings.includes(ending)) {
    throw new UsageError(`${file}: ${what} is not written as ${ending}; end the name in ${endings.join(", ")}`);
  }
  outFolder(dirname(path));
  return path;
}

/**
 * The absolute path of a folder to be written into; it is there afterwards.
 * @param inputs folders that the command reads: none of them may be this one
 */
export function outFolder(folder: string, { inputs = [] }: { inputs?: readonly string[] } = {}): string {
  const path = resolve(folder);
  const there = statSync(path, { throwIfNoEntry: false });
  const twin = inputs.find((input) => isSameFile(path, there, input));
  if (twin !== undefined) throw new UsageError(`${folder} is also an input (${twin}); choose another folder`);
  let home = path;
  while (!existsSync(home)) home = dirname(home);
  accessSync(home, constants.W_OK); // mkdir would say that the folder to be made does not exist
  mkdirSync(path, { recursive: true });
  return path;
}

/** One file under two names (a link of either kind, another case) is one file. */
function isSameFile(path: string, there: Stats | undefined, input: string): boolean {
  if (resolve(input) === path) return true;
  if (!there) return false;
  const stats = statsOf(input);
  if (!stats || stats.ino !== there.ino || stats.dev !== there.dev) return false;
  return stats.ino !== 0 || realpathSync(input) === realpathSync(path);
}

/** Undefined for what is not there or cannot be looked at (a loop of links, a name too long): reading it says why. */
function statsOf(input: string): Stats | undefined {
  try {
    return statSync(input);
  } catch {
    return undefined;
  }
}

/** An ending that names a format; `mktemp`'s letters and a date after a dot are none. */
function endingOf(file: string): string | undefined {
  const ending = extname(file).toLowerCase();
  return /^\.(?=[0-9]*[a-z])[a-z0-9]{1,5}$|^\.safetensors$/.test(ending) ? ending : undefined;
}

/** `saveIdentity` writes the format's name first. */
function isIdentity(path: string): boolean {
  const file = openSync(path, "r");
  try {
    const head = Buffer.alloc(128);
    readSync(file, head, 0, head.length, 0);
    return head.toString("latin1", 8).startsWith('{"__metadata__":{"format":"omni-id-identity/');
  } finally {
    closeSync(file);
  }
}

/** Every report says from which commit its numbers are. */
function isReport(path: string): boolean {
  try {
    const { commit, provenance } = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
    return (commit ?? (provenance as Record<string, unknown> | undefined)?.commit) !== undefined;
  } catch {
    return false;
  }
}

const article = (name: string) =>
  /^an? /.test(name) || /^(text|sound|something)/.test(name) ? name : `a ${name} picture`;
