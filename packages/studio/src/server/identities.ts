import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { writeAtomically } from "@omni-id/torch";
import { type IdentityValues, kindOfPictures } from "omni-id";
import type { IdentityInfo } from "../api.ts";
import { identityBytes, parseIdentityBytes } from "../identity-file.ts";
import { slug } from "../slug.ts";
import { Refused } from "./guard.ts";

/** An identity as the server holds it: its file's bytes, and what they say. */
export interface StoredIdentity {
  info: IdentityInfo;
  bytes: Uint8Array;
  values: IdentityValues;
  /** Its file's name in the folder, once it is saved. */
  file?: string;
}

const ENDING = ".safetensors";
const LARGEST_FILE = 50_000_000;

/**
 * Identities by name: in memory, and those that were saved in a folder, as files that every other command reads too.
 * What is not saved is forgotten when the server ends.
 */
export class IdentityStore {
  readonly folder: string | undefined;
  readonly #most: number;
  readonly #all = new Map<string, StoredIdentity>();

  /** @param most identities that memory holds; the oldest that is not saved goes first */
  constructor({ folder, most = 500 }: { folder?: string; most?: number } = {}) {
    this.folder = folder;
    this.#most = most;
    if (folder !== undefined) this.#readFolder(folder);
  }

  list(): IdentityInfo[] {
    return [...this.#all.values()].map(({ info }) => info);
  }

  /** @throws {Refused} when there is none of that name */
  get(id: string): StoredIdentity {
    const found = this.#all.get(id);
    if (!found) throw new Refused(404, `no identity "${id}"; it may be forgotten since the server started anew`);
    return found;
  }

  /** Takes one up under a name like the one a person gave it. */
  add(name: string, values: IdentityValues): StoredIdentity {
    // As it will be read from its file: what is drawn now is what is drawn from the saved file.
    const bytes = identityBytes(values);
    const id = this.#freeId(slug(name));
    const stored = this.#keep(id, name, bytes);
    this.#makeRoom(id);
    return stored;
  }

  /** Takes up the bytes of an identity file. @throws {Refused} when they are none */
  import(name: string, bytes: Uint8Array): StoredIdentity {
    try {
      return this.add(basename(name, ENDING), parseIdentityBytes(name, bytes));
    } catch (error) {
      throw new Refused(422, (error as Error).message);
    }
  }

  /** Writes one into the folder; the file appears whole or not at all. */
  save(id: string): StoredIdentity {
    if (this.folder === undefined) {
      throw new Refused(409, "no folder was named to save identities in; start the studio with --identities FOLDER");
    }
    const stored = this.get(id);
    mkdirSync(this.folder, { recursive: true });
    stored.file ??= freeName(this.folder, id);
    writeAtomically(join(this.folder, stored.file), stored.bytes);
    stored.info = { ...stored.info, saved: true };
    return stored;
  }

  /** Forgets one, and removes its file if it was saved. */
  remove(id: string): void {
    const { file } = this.get(id);
    if (file && this.folder !== undefined) rmSync(join(this.folder, file), { force: true });
    this.#all.delete(id);
  }

  #keep(id: string, name: string, bytes: Uint8Array, file?: string): StoredIdentity {
    const values = parseIdentityBytes(name, bytes);
    const { photos, created, encoder, strangeness } = values;
    const pictures = kindOfPictures(strangeness);
    const told = { photos: photos.length, created, encoder: encoder.hash, ...(pictures && { pictures }) };
    const info = { id, name, ...told, saved: file !== undefined };
    const stored: StoredIdentity = { info, bytes, values, file };
    this.#all.set(id, stored);
    return stored;
  }

  #freeId(wanted: string): string {
    for (let i = 1; ; i++) {
      const id = i === 1 ? wanted : `${wanted}-${i}`;
      if (!this.#all.has(id)) return id;
    }
  }

  #makeRoom(kept: string): void {
    for (const [id, { info }] of this.#all) {
      if (this.#all.size <= this.#most) return;
      if (!info.saved && id !== kept) this.#all.delete(id);
    }
  }

  /** Files that are no identities, or no longer readable, are left alone. */
  #readFolder(folder: string): void {
    for (const file of namesIn(folder)) {
      const path = join(folder, file);
      if (!file.endsWith(ENDING) || file.startsWith(".")) continue;
      try {
        const stats = statSync(path);
        if (!stats.isFile() || stats.size > LARGEST_FILE) continue;
        const name = basename(file, ENDING);
        this.#keep(this.#freeId(slug(name)), name, readFileSync(path), file);
      } catch {
        // told nowhere: a folder may hold other files
      }
    }
  }
}

/** A name that no file of the folder has: another program may have written one since we looked. */
function freeName(folder: string, id: string): string {
  for (let i = 1; ; i++) {
    const name = `${i === 1 ? id : `${id}-${i}`}${ENDING}`;
    if (!existsSync(join(folder, name))) return name;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
