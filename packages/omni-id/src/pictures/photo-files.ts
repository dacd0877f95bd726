import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const PICTURE = /\.(jpe?g|png|webp|tiff?|avif|gif)$/i;

/** Paths of the pictures in a folder, by name; those in folders inside it are not looked for. */
export function picturesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => PICTURE.test(name))
    .sort()
    .map((name) => join(folder, name));
}

/** Paths as a person names them: a folder stands for the pictures in it. */
export function photoFiles(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return [path];
    const pictures = picturesIn(path);
    if (pictures.length === 0)
      throw new Error(`${path}: no pictures in this folder (JPEG, PNG, WebP, TIFF, AVIF, GIF)`);
    return pictures;
  });
}
