import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileFormat, formatOf } from "@omni-id/face";
import sharp from "sharp";
import { afterAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "formats-"));
afterAll(() => rmSync(folder, { recursive: true }));
const bytes = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
/** The head of an ISO base media file with some brands. */
const media = (...brands: string[]) =>
  bytes(`\0\0\0${String.fromCharCode(8 + 4 * (brands.length + 1))}ftyp${brands[0]}\0\0\0\0${brands.slice(1).join("")}`);

describe("formatOf", () => {
  it.each(["jpeg", "png", "webp", "gif", "tiff", "avif"] as const)("knows the %s that sharp writes", async (format) => {
    const file = join(folder, "no-ending");
    const picture = sharp({ create: { width: 9, height: 8, channels: 3, background: "#123456" } });
    writeFileSync(file, await picture.toFormat(format).toBuffer());
    expect(fileFormat(file)).toMatchObject({ kind: "picture", readable: true });
    expect(fileFormat(file)?.name.toLowerCase()).toBe(format);
  });

  it.each([
    ["HEIC of an iPhone", media("heic", "mif1", "heic"), { name: "HEIC", readable: true }],
    ["HEIC by its compatible brands", media("mif1", "mif1", "heic"), { name: "HEIC", readable: true }],
    ["AVIF by its compatible brands", media("mif1", "miaf", "avif"), { name: "AVIF", readable: true }],
    ["film", media("qt  "), { name: "a film", kind: "other" }],
    ["raw", media("crx ", "isom"), { kind: "picture", readable: false }],
    ["raw", bytes("II*\0\x10\0\0\0CR\x02\0"), { kind: "picture", readable: false }],
    ["BMP", bytes("BM\x10\0\0\0"), { name: "BMP", readable: false }],
    ["JPEG XL", bytes("\xff\x0a\xfa"), { name: "JPEG XL", readable: false }],
    ["SVG", bytes('<?xml version="1.0"?>\n<!-- a -->\n<svg xmlns="x">'), { name: "SVG", readable: true }],
    ["web page", bytes("<!DOCTYPE html><html>"), { name: "a web page" }],
    ["safetensors", bytes('\x40\0\0\0\0\0\0\0{"a":1}'), { name: "a safetensors file" }],
    ["text", bytes("dear Anna\n"), { name: "text" }],
  ])("knows %s", (_, head, wanted) => {
    expect(formatOf(head)).toMatchObject(wanted);
  });

  it("says nothing of what it does not know, nor of nothing", () => {
    expect(formatOf(Uint8Array.from([1, 2, 3, 0, 255]))).toBeUndefined();
    expect(formatOf(new Uint8Array(0))).toBeUndefined();
  });
});
