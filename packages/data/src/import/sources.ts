import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, extname, join, relative, resolve, sep } from "node:path";
import type { Clip } from "../curate/clip.ts";
import { emptySource, type SourceClips } from "../curate/sources/source.ts";
import { readTable } from "./csv.ts";
import { markTwins } from "./twins.ts";

const PICTURE = /\.(jpe?g|jfif|png|webp|tiff?|avif|gif|bmp|hei[cf])$/i;
const TABLE = /\.(csv|tsv|txt)$/i;

/** A photo as the source of a set: a person takes the place of a video, a photo that of a clip. */
interface Photo {
  person: string;
  /** Name among the person's photos. */
  name: string;
  path: string;
  caption?: string;
}

/**
 * The photos of all places, by person. A folder that holds pictures is a person, wherever it lies (`alice/1.jpg`, or
 * `train/n000001/0001_01.jpg`), called by its path; pictures that lie in the given folder itself are told apart by
 * their names without the number at the end (`alice_0001.jpg`); a table (.csv, .tsv, .txt) names file and person.
 * What is written depends on names alone and not on the disk's order.
 * @throws when a place does not exist or cannot be read
 */
export function readPhotos(places: readonly string[]): SourceClips {
  const source = emptySource();
  const photos = places.flatMap((place): Photo[] => {
    if (!existsSync(place)) throw new Error(`${place}: no such folder or table`);
    if (statSync(place).isDirectory()) return readTree(place, source);
    if (!TABLE.test(place)) {
      throw new Error(
        `${place}: a folder of photos is wanted, or a table (.csv, .tsv, .txt) that names file and person`,
      );
    }
    const { photos: listed, missing, malformed } = readTable(place);
    source.missing.push(...missing);
    source.malformed.push(...malformed);
    const root = dirname(resolve(place));
    return listed.map((photo) => ({ ...photo, name: slashes(relative(root, photo.path)) }));
  });
  source.clips = markTwins(inOrder(places.length > 1 ? apart(photos) : photos));
  return source;
}

function readTree(root: string, source: SourceClips): Photo[] {
  const found: Photo[] = [];
  const visit = (folder: string, above: readonly string[]) => {
    let names: string[];
    let here: string;
    try {
      here = realpathSync(folder);
      if (above.includes(here)) return; // a link to a folder that it lies in
      names = readdirSync(folder).filter((name) => !name.startsWith("."));
    } catch (error) {
      if (folder === root) throw error;
      source.malformed.push({ where: folder, what: `cannot be read (${(error as NodeJS.ErrnoException).code})` });
      return;
    }
    const beside = new Set(names);
    for (const name of names.sort()) {
      const path = join(folder, name);
      if (isFolder(path)) visit(path, [...above, here]);
      else if (PICTURE.test(name)) {
        const person = folder === root ? personOf(name) : slashes(relative(root, folder));
        const caption = captionBeside(folder, name, beside);
        found.push({ person, name, path, ...(caption && { caption }) });
      }
    }
  };
  visit(root, []);
  return found;
}

/** `alice_0001.jpg` shows alice. */
function personOf(name: string): string {
  const stem = name.slice(0, name.length - extname(name).length);
  return stem.replace(/[\s_.-]*\(?\d+\)?$/, "") || stem;
}

/** The first line of `photo.txt` beside `photo.jpg`. */
function captionBeside(folder: string, name: string, beside: ReadonlySet<string>): string | undefined {
  const text = `${name.slice(0, name.length - extname(name).length)}.txt`;
  if (!beside.has(text)) return undefined;
  try {
    return readFileSync(join(folder, text), "utf8")
      .split("\n")
      .find((line) => line.trim() !== "")
      ?.trim();
  } catch {
    return undefined;
  }
}

/** Several places: a person is called by the place too where another place has one of that name. */
function apart(photos: readonly Photo[]): Photo[] {
  const folders = new Map<string, Set<string>>();
  const homeOf = ({ path, name }: Photo) => resolve(path).slice(0, -name.length);
  for (const photo of photos) {
    folders.set(photo.person, (folders.get(photo.person) ?? new Set()).add(homeOf(photo)));
  }
  return photos.map((photo) => {
    const homes = [...(folders.get(photo.person) ?? [])].sort();
    if (homes.length < 2) return photo;
    const home = homeOf(photo);
    return { ...photo, person: `${basename(dirname(home))}-${homes.indexOf(home)}/${photo.person}` };
  });
}

/** Clips by person and name; a file that is named twice for one person counts once. */
function inOrder(photos: readonly Photo[]): Clip[] {
  const unique = new Map(photos.map((photo) => [`${photo.person}\0${photo.path}`, photo]));
  const order = (a: Photo, b: Photo) =>
    a.person === b.person ? (a.name < b.name ? -1 : 1) : a.person < b.person ? -1 : 1;
  return [...unique.values()].sort(order).map(({ person, name, path, caption }) => ({
    video: person,
    name,
    path,
    ...(caption && { caption }),
  }));
}

const slashes = (path: string) => path.split(sep).join("/");

/** Links may lead nowhere, or to themselves. */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
