import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Malformed } from "../curate/sources/source.ts";

/** A photo that a table names. */
export interface ListedPhoto {
  path: string;
  person: string;
  caption?: string;
}

/** What the columns may be called. */
const COLUMNS = {
  path: ["file", "path", "image", "photo", "picture", "filename", "image_id"],
  person: ["person", "identity", "id", "name", "label", "class", "subject"],
  caption: ["caption", "text", "description"],
} as const;

/**
 * A table of photos: comma, tab or blank between the columns, a header that names them (`file,person,caption`), or none
 * and then file and person in this order. Files are named from the table's own folder.
 */
export function readTable(table: string): { photos: ListedPhoto[]; missing: string[]; malformed: Malformed[] } {
  const lines = readFileSync(table, "utf8")
    .replace(/^\ufeff/, "")
    .split(/\r?\n/);
  const separator = [",", "\t", ";"].find((one) => lines[0].includes(one)) ?? " ";
  const first = cells(lines[0], separator).map((cell) => cell.toLowerCase());
  const find = (names: readonly string[]) => first.findIndex((cell) => names.includes(cell));
  const headed = find(COLUMNS.path) >= 0 && find(COLUMNS.person) >= 0;
  const [path, person, caption] = headed
    ? [find(COLUMNS.path), find(COLUMNS.person), find(COLUMNS.caption)]
    : [0, 1, 2];
  const result: ReturnType<typeof readTable> = { photos: [], missing: [], malformed: [] };
  for (const [i, line] of lines.entries()) {
    if (line.trim() === "" || (headed && i === 0)) continue;
    const row = cells(line, separator);
    if (!row[path] || !row[person]) {
      result.malformed.push({ where: `${table}:${i + 1}`, what: "a line wants a file and a person" });
      continue;
    }
    const file = resolve(dirname(table), row[path]);
    const words = row[caption]?.trim();
    if (existsSync(file)) result.photos.push({ path: file, person: row[person], ...(words && { caption: words }) });
    else result.missing.push(file);
  }
  return result;
}

/** The cells of a line; quotes keep separators and, doubled, themselves (RFC 4180, without line breaks inside). */
function cells(line: string, separator: string): string[] {
  const found: string[] = [];
  const one = separator === " " ? /\s*("(?:[^"]|"")*"|\S*)/y : new RegExp(`\\s*("(?:[^"]|"")*"|[^${separator}]*)`, "y");
  for (let at = 0; at <= line.length; at = one.lastIndex + 1) {
    one.lastIndex = at;
    const cell = (one.exec(line)?.[1] ?? "").trim();
    found.push(cell.startsWith('"') && cell.endsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell);
    const next = line.indexOf(separator, one.lastIndex);
    if (next < 0) break;
    one.lastIndex = next;
  }
  return separator === " " ? found.filter((cell) => cell !== "") : found;
}
