import { statSync } from "node:fs";
import { basename, join } from "node:path";
import { type LoadedIdentity, ShardSet } from "@omni-id/data";
import { entriesOf } from "./runs.ts";

/** A set of people on the disk. */
export interface SetInfo {
  name: string;
  folder: string;
  shards: number;
  bytes: number;
}

/** Sets open at once: their headers lie in memory. */
const MOST_OPEN = 3;

/** Sets in the folders that were named, each a folder of shards or a folder of such folders. */
export function listSets(places: readonly string[]): SetInfo[] {
  const found: SetInfo[] = [];
  const take = (folder: string): boolean => {
    const shards = entriesOf(folder).filter((entry) => entry.isFile() && entry.name.endsWith(".tar"));
    if (shards.length === 0) return false;
    const bytes = shards.reduce((sum, { name }) => sum + sizeOf(join(folder, name)), 0);
    const plain = basename(folder);
    const taken = found.filter(({ name }) => name === plain || name.startsWith(`${plain} (`)).length;
    const name = taken === 0 ? plain : `${plain} (${taken + 1})`;
    found.push({ name, folder, shards: shards.length, bytes });
    return true;
  };
  for (const place of places) {
    if (take(place)) continue;
    for (const entry of entriesOf(place)) if (entry.isDirectory()) take(join(place, entry.name));
  }
  return found;
}

/** Sets that were looked at last, open; one that has changed on the disk is opened anew. */
export class OpenSets {
  readonly #open = new Map<string, { bytes: number; set: Promise<ShardSet> }>();

  async people(info: SetInfo, from: number, count: number): Promise<{ total: number; people: LoadedIdentity[] }> {
    const set = await this.#get(info);
    const people = await Promise.all(set.ids.slice(from, from + count).map((id) => set.read(id)));
    return { total: set.ids.length, people };
  }

  /** @returns undefined when there is no such picture */
  async picture(info: SetInfo, id: string, index: number): Promise<Uint8Array | undefined> {
    const set = await this.#get(info);
    if (!set.ids.includes(id)) return undefined;
    const person = await set.read(id);
    return index < person.images.length ? person.image(index) : undefined;
  }

  #get({ folder, bytes }: SetInfo): Promise<ShardSet> {
    const known = this.#open.get(folder);
    if (known?.bytes === bytes) return known.set;
    const set = ShardSet.open(folder);
    set.catch(() => this.#open.delete(folder));
    this.#open.delete(folder);
    this.#open.set(folder, { bytes, set });
    for (const old of [...this.#open.keys()].slice(0, -MOST_OPEN)) this.#open.delete(old);
    return set;
  }
}

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
