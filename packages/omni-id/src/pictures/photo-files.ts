import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileFormat, systemReason, unreadable } from "@omni-id/face/formats";
import { printable } from "./printable.ts";

/** A file that is no photo for us, and why. */
export interface LeftOut {
  file: string;
  reason: string;
}

export interface PhotoFiles {
  files: string[];
  leftOut: LeftOut[];
}

/**
 * The pictures in a folder, by name, told by their content; names with a leading dot are passed over, what is no
 * picture is left out with the reason. Folders inside it are not looked into.
 */
export function picturesIn(folder: string): PhotoFiles {
  const found: PhotoFiles = { files: [], leftOut: [] };
  const names = readdirSync(folder, { encoding: "buffer" }).map((bytes) => ({ bytes, name: bytes.toString("utf8") }));
  names.sort((a, b) => Buffer.compare(a.bytes, b.bytes));
  for (const { bytes, name } of names) {
    if (name.startsWith(".")) continue;
    const file = join(folder, name);
    const reason = bytes.equals(Buffer.from(name)) ? whyNoPicture(file) : "its name is no UTF-8; rename it";
    if (reason) found.leftOut.push({ file: printable(file), reason });
    else found.files.push(file);
  }
  return found;
}

/**
 * Paths as a person names them: a folder stands for the pictures in it. What is named itself is kept, whatever it is: its
 * trouble is told where it is read.
 * @throws when a folder holds no picture
 */
export function photoFiles(paths: readonly string[]): PhotoFiles {
  const all: PhotoFiles = { files: [], leftOut: [] };
  for (const path of paths) {
    if (!isFolder(path)) {
      all.files.push(path);
      continue;
    }
    const { files, leftOut } = picturesIn(path);
    if (files.length === 0) {
      const reasons = leftOut.slice(0, TOLD).map(({ file, reason }) => `\n  ${file}: ${reason}`);
      throw new Error(
        `${printable(path)}: no pictures in this folder (JPEG, PNG, WebP, TIFF, AVIF, HEIC, GIF)${reasons.join("")}`,
      );
    }
    all.files.push(...files);
    all.leftOut.push(...leftOut);
  }
  return all;
}

/** As many files as are told one by one. */
const TOLD = 10;

/** Lines for a person about what was left out. */
export function tellLeftOut(leftOut: readonly LeftOut[]): string[] {
  const lines = leftOut.slice(0, TOLD).map(({ file, reason }) => `left out: ${file}: ${reason}`);
  return leftOut.length > TOLD ? [...lines, `left out: ${leftOut.length - TOLD} more files that are no photos`] : lines;
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false; // told where it is read
  }
}

/** `undefined` for a picture that can be read. Opens no pipe and no device. */
function whyNoPicture(file: string): string | undefined {
  try {
    const stats = statSync(file);
    if (stats.isDirectory()) return "a folder; folders in a folder are not looked into";
    if (!stats.isFile()) return "no regular file";
    if (stats.size === 0) return "empty";
    const format = fileFormat(file);
    if (format?.readable) return undefined;
    return format ? unreadable(format) : "no picture in a format that is known here";
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === "ENOENT" ? "a link that leads nowhere" : (systemReason(code) ?? message);
  }
}
