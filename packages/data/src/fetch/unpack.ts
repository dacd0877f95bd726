import { createReadStream, createWriteStream, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";

/** A photo inside an archive: `set/person/photo.jpg`; nothing else is taken out, whatever it is called. */
const PHOTO = /^(?:\.\/)?[^/]+\/([^/]+)\/([^/]+\.jpe?g)$/i;

/**
 * Takes the photos out of a tar file that gzip has packed, one folder a person; the folder appears by rename, once all are
 * there. What is there already stays.
 * @returns people and photos that were taken out; undefined where the folder was there
 * @throws when the archive is damaged
 */
export async function unpackPhotos(
  archive: string,
  folder: string,
): Promise<{ people: number; photos: number } | undefined> {
  if (existsSync(folder)) return undefined;
  const temporary = `${folder}.unpacking`;
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true });
  const people = new Set<string>();
  let photos = 0;
  const entries = extract();
  const taken = (async () => {
    for await (const entry of entries) {
      const [, person, photo] = PHOTO.exec(entry.header.name) ?? [];
      const wanted = entry.header.type === "file" && person !== undefined && !hidden(person) && !hidden(photo);
      if (!wanted) {
        entry.resume();
        continue;
      }
      if (!people.has(person)) mkdirSync(join(temporary, person));
      people.add(person);
      photos++;
      await pipeline(entry, createWriteStream(join(temporary, person, photo)));
    }
  })();
  try {
    await Promise.all([pipeline(createReadStream(archive), createGunzip(), entries), taken]);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw new Error(`${archive}: damaged (${(error as Error).message}); delete it and run the command again`);
  }
  renameSync(temporary, folder);
  return { people: people.size, photos };
}

/** Also the places `.` and `..`. */
const hidden = (name: string) => name.startsWith(".");
