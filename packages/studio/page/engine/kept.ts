import type { IdentityInfo } from "../../src/api.ts";
import { slug } from "../../src/slug.ts";
import type { WorkerTasks } from "./messages.ts";

interface KeptIdentity {
  info: IdentityInfo;
  bytes: Uint8Array;
}

const KEY = "omni-id-identities";

/** Identities of browser mode: in this tab's memory, where they outlive a reload and are gone when the tab is closed. */
export class Kept {
  readonly #all = new Map<string, KeptIdentity>();

  constructor() {
    for (const one of stored()) this.#all.set(one.info.id, one);
  }

  list(): IdentityInfo[] {
    return [...this.#all.values()].map(({ info }) => info);
  }

  add(name: string, bytes: Uint8Array, said: WorkerTasks["read"]["answer"]): IdentityInfo {
    const wanted = slug(name);
    let id = wanted;
    for (let i = 2; this.#all.has(id); i++) id = `${wanted}-${i}`;
    const info = { id, name, ...said, saved: false };
    this.#all.set(id, { info, bytes });
    this.#store();
    return info;
  }

  bytes(id: string): Uint8Array {
    return this.#get(id).bytes;
  }
  name(id: string): string {
    return this.#get(id).info.name;
  }
  forget(id: string): void {
    this.#all.delete(id);
    this.#store();
  }

  #get(id: string): KeptIdentity {
    const found = this.#all.get(id);
    if (!found) throw new Error(`no identity "${id}"`);
    return found;
  }

  #store(): void {
    const text = JSON.stringify(
      [...this.#all.values()].map(({ info, bytes }) => ({ info, bytes: btoa(String.fromCharCode(...bytes)) })),
    );
    try {
      sessionStorage.setItem(KEY, text);
    } catch {
      // Full, or forbidden: then a reload forgets them.
    }
  }
}

function stored(): KeptIdentity[] {
  try {
    const all = JSON.parse(sessionStorage.getItem(KEY) ?? "[]") as { info: IdentityInfo; bytes: string }[];
    return all.map(({ info, bytes }) => ({
      info,
      bytes: Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0)),
    }));
  } catch {
    return [];
  }
}
