import { closeSync, openSync, readSync } from "node:fs";

/** What a file is by its first bytes: names and endings are often wrong. */
export interface FileFormat {
  /** What it is called, such as "JPEG" or "a film". */
  name: string;
  kind: "picture" | "other";
  /** Whether `loadImage` reads it. */
  readable: boolean;
}

/** As many bytes as {@link formatOf} looks at. */
const HEAD = 512;

const picture = (name: string, readable = true): FileFormat => ({ name, kind: "picture", readable });
const other = (name: string): FileFormat => ({ name, kind: "other", readable: false });

const HEIC = picture("HEIC");
const RAW = picture("a camera's raw format", false);

/** Bytes that a format begins with, as Latin-1, and where they stand. The first that fits counts. */
const SIGNATURES: readonly (readonly [place: number, bytes: string, format: FileFormat])[] = [
  [0, "\xff\xd8\xff", picture("JPEG")],
  [0, "\x89PNG\r\n\x1a\n", picture("PNG")],
  [8, "WEBP", picture("WebP")],
  [0, "GIF8", picture("GIF")],
  [8, "CR\x02\0", RAW],
  [0, "IIRO", RAW],
  [0, "IIU\0", RAW],
  [0, "FUJIFILMCCD-RAW", RAW],
  [0, "II*\0", picture("TIFF")],
  [0, "MM\0*", picture("TIFF")],
  [0, "II+\0", picture("TIFF")],
  [0, "MM\0+", picture("TIFF")],
  [0, "BM", picture("BMP", false)],
  [0, "8BPS", picture("Photoshop", false)],
  [0, "\xff\x0a", picture("JPEG XL", false)],
  [0, "\0\0\0\x0cJXL ", picture("JPEG XL", false)],
  [0, "\0\0\0\x0cjP  ", picture("JPEG 2000", false)],
  [0, "\xff\x4f\xff\x51", picture("JPEG 2000", false)],
  [0, "\0\0\x01\0", picture("an icon", false)],
  [0, "%PDF", other("a PDF document")],
  [0, "PK\x03\x04", other("a ZIP archive")],
  [0, "\x1f\x8b", other("a gzip archive")],
  [0, "\x1a\x45\xdf\xa3", other("a film")],
  [0, "ID3", other("sound")],
  [0, "bplist", other("a list of settings")],
];

/** Brands of the ISO base media format: what stands after `ftyp`, the first that says something. */
const BRANDS: Readonly<Record<string, FileFormat>> = {
  avif: picture("AVIF"),
  avis: picture("AVIF"),
  heic: HEIC,
  heix: HEIC,
  heim: HEIC,
  heis: HEIC,
  hevc: HEIC,
  hevx: HEIC,
  hevm: HEIC,
  hevs: HEIC,
  "crx ": RAW,
};

/** @param head the first bytes of a file, some hundred @returns `undefined` where they are no format known here */
export function formatOf(head: Uint8Array): FileFormat | undefined {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, HEAD)).toString("latin1");
  if (text.startsWith("ftyp", 4)) return mediaFormat(text);
  const found = SIGNATURES.find(([place, bytes]) => text.startsWith(bytes, place));
  if (found) return found[2];
  if (/^(\xef\xbb\xbf)?\s*(<\?xml[\s\S]*?)?(<!--[\s\S]*?-->\s*)*(<!DOCTYPE svg[\s\S]*?)?<svg[\s>]/i.test(text))
    return picture("SVG");
  if (/^(\xef\xbb\xbf)?\s*<(!doctype html|html)/i.test(text)) return other("a web page");
  if (/^.{8}\{/s.test(text) && text.includes('"')) return other("a safetensors file");
  if (text.length > 0 && !/[^\t\n\f\r\x20-\x7e\x80-\xff]/.test(text)) return other("text");
  return undefined;
}

function mediaFormat(text: string): FileFormat {
  const size = text.charCodeAt(2) * 256 + text.charCodeAt(3);
  const brands = text.slice(8, Math.max(12, Math.min(size, HEAD))).match(/.{4}/gs) ?? [];
  for (const brand of brands) if (Object.hasOwn(BRANDS, brand)) return BRANDS[brand];
  return brands.some((brand) => brand === "mif1" || brand === "msf1") ? HEIC : other("a film");
}

/** {@link formatOf} of a regular file. @throws the system's error */
export function fileFormat(path: string): FileFormat | undefined {
  const file = openSync(path, "r");
  try {
    const head = Buffer.alloc(HEAD);
    return formatOf(head.subarray(0, readSync(file, head, 0, HEAD, 0)));
  } finally {
    closeSync(file);
  }
}

/** Why a file of a format is not read, and what to do. */
export function unreadable({ name, kind }: FileFormat): string {
  if (kind === "other") return `${name}, no picture`;
  return `${/^an? /.test(name) ? name : `a ${name} picture`}, which cannot be read here; save it as JPEG or PNG first`;
}

/** The system's reasons, in words; `undefined` for those that say nothing of the file. */
export function systemReason(code: string | undefined): string | undefined {
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return "no such file";
    case "ELOOP":
      return "a loop of links; name the file itself";
    case "ENAMETOOLONG":
      return "its name is longer than the system allows";
    case "EACCES":
    case "EPERM":
      return "no permission to read it";
    case "EIO":
      return "the disk cannot read it";
    default:
      return undefined;
  }
}
