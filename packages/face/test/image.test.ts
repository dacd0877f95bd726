import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, it, vi } from "vitest";
import { loadImage, saveImage } from "../src/image.ts";

const folder = mkdtempSync(join(tmpdir(), "image-"));

/** A picture whose top-left quarter is red, the rest blue. */
async function corner(width: number, height: number) {
  const red = { create: { width: width >> 1, height: height >> 1, channels: 3 as const, background: "#f00" } };
  return sharp({ create: { width, height, channels: 3, background: "#00f" } }).composite([
    { input: await sharp(red).png().toBuffer(), left: 0, top: 0 },
  ]);
}

const pixel = (image: { width: number; data: Uint8Array }, x: number, y: number) => [
  ...image.data.subarray((y * image.width + x) * 3, (y * image.width + x) * 3 + 3),
];

describe("loadImage", () => {
  it("turns a photo upright by its EXIF rotation", async () => {
    const bytes = await (await corner(40, 20)).jpeg({ quality: 100 }).withMetadata({ orientation: 6 }).toBuffer();
    const image = await loadImage(bytes);
    expect([image.width, image.height]).toEqual([20, 40]);
    const [r, , b] = pixel(image, 18, 2); // turned clockwise: the corner is now at the top right
    expect(r).toBeGreaterThan(200);
    expect(b).toBeLessThan(60);
  });

  it("puts transparency on white, and spreads grey over three channels", async () => {
    const clear = await sharp({
      create: { width: 4, height: 4, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } },
    })
      .png()
      .toBuffer();
    expect(pixel(await loadImage(clear), 1, 1)).toEqual([255, 255, 255]);
    const grey = await sharp({ create: { width: 4, height: 4, channels: 3, background: "#808080" } })
      .greyscale()
      .png()
      .toBuffer();
    expect(pixel(await loadImage(grey), 1, 1)).toEqual([128, 128, 128]);
  });

  it("reads CMYK and 16 bit", async () => {
    const cmyk = await sharp({ create: { width: 8, height: 8, channels: 3, background: "#fff" } })
      .toColourspace("cmyk")
      .jpeg()
      .toBuffer();
    for (const value of pixel(await loadImage(cmyk), 3, 3)) expect(value).toBeGreaterThan(245);
    const deep = await sharp(
      Uint16Array.from({ length: 3 * 16 }, () => 0x8000),
      { raw: { width: 4, height: 4, channels: 3 } },
    )
      .toColourspace("rgb16")
      .png()
      .toBuffer();
    for (const value of pixel(await loadImage(deep), 1, 1)) expect(Math.abs(value - 128)).toBeLessThan(3);
  });

  it("reads 40 megapixels, and can bound what it makes of them", async () => {
    const large = await sharp({ create: { width: 8000, height: 5000, channels: 3, background: "#234" } })
      .jpeg()
      .toBuffer();
    const image = await loadImage(large, { maxSide: 1000 });
    expect([image.width, image.height]).toEqual([1000, 625]);
  });

  it.each([
    ["nothing.jpg", undefined, /nothing\.jpg: no such file/],
    ["empty.jpg", "", /empty\.jpg: /],
    ["page.jpg", "<html><body>404</body></html>", /page\.jpg: a web page, no picture/],
  ])("refuses %s with its name and the reason", async (name, content, message) => {
    const path = join(folder, name);
    if (content !== undefined) writeFileSync(path, content);
    await expect(loadImage(path)).rejects.toThrow(message);
  });

  it("refuses a photo that was cut off", async () => {
    const noise = Uint8Array.from({ length: 200 * 200 * 3 }, (_, i) => (i * 2654435761) >>> 24);
    const whole = await sharp(noise, { raw: { width: 200, height: 200, channels: 3 } })
      .jpeg()
      .toBuffer();
    const path = join(folder, "cut.jpg");
    writeFileSync(path, whole.subarray(0, whole.length >> 1));
    await expect(loadImage(path)).rejects.toThrow(/cut\.jpg: the file is damaged or cut off/);
    // libvips keeps one list of errors for all that is read at the time.
    const cut = readFileSync(path);
    const reads = Array.from({ length: 40 }, (_, i) =>
      loadImage(i % 2 === 0 ? cut : new Uint8Array(9), { name: `${i % 2}` }).catch((error: Error) => error.message),
    );
    for (const [i, told] of (await Promise.all(reads)).entries())
      expect(told).toMatch(i % 2 === 0 ? /^0: the file is damaged or cut off/ : /^1: not a picture/);
  });
});

describe("HEIC, what every iPhone makes", () => {
  // A rendered person (seed 77, identity 1), 192 px, by libheif's heif-enc -q 45.
  const file = new URL("fixtures/rendered-person.heic", import.meta.url).pathname;

  it("is read, whatever the file is called, and bounded", async () => {
    const image = await loadImage(file);
    expect([image.width, image.height]).toEqual([192, 192]);
    const mean = [0, 1, 2].map((c) => image.data.filter((_, i) => i % 3 === c).reduce((a, b) => a + b, 0) / 192 ** 2);
    // Of the PNG that it was made from.
    for (const [c, value] of [146.9, 124.6, 133.5].entries()) expect(Math.abs(mean[c] - value)).toBeLessThan(3);
    const renamed = join(folder, "IMG_0001.JPG");
    copyFileSync(file, renamed);
    expect((await loadImage(renamed, { maxSide: 96 })).width).toBe(96);
    expect((await loadImage(readFileSync(file))).data).toEqual(image.data);
  });

  it("cut off is an error with the file's name, and the decoder works on", async () => {
    const cut = join(folder, "cut.heic");
    writeFileSync(cut, readFileSync(file).subarray(0, 1800));
    const log = vi.spyOn(console, "log");
    await expect(loadImage(cut)).rejects.toThrow(/cut\.heic: the file is damaged or cut off/);
    expect(log).not.toHaveBeenCalled(); // stdout is for results
    expect((await loadImage(file)).width).toBe(192);
  });
});

describe("what is no picture file", () => {
  it("a named pipe, a device, a folder are refused at once", async () => {
    const pipe = join(folder, "pipe.jpg");
    spawnSync("mkfifo", [pipe]);
    await expect(loadImage(pipe)).rejects.toThrow(/pipe\.jpg: a named pipe, and a picture was expected/);
    await expect(loadImage("/dev/zero")).rejects.toThrow(/a device, and a picture/);
    await expect(loadImage(folder)).rejects.toThrow(/a folder, and a picture/);
  });

  it("nor a loop of links, a name that is too long, another format", async () => {
    const loop = join(folder, "loop.jpg");
    symlinkSync("loop.jpg", loop);
    await expect(loadImage(loop)).rejects.toThrow(/loop\.jpg: a loop of links/);
    await expect(loadImage(join(folder, "x".repeat(300)))).rejects.toThrow(/longer than the system allows/);
    const bitmap = join(folder, "scan.png");
    writeFileSync(bitmap, Buffer.concat([Buffer.from("BM"), Buffer.alloc(60)]));
    await expect(loadImage(bitmap)).rejects.toThrow(/scan\.png: a BMP picture, which cannot be read here; save it as/);
    const film = join(folder, "live.heic");
    writeFileSync(film, Buffer.from("\0\0\0\x14ftypqt  \0\0\0\0qt  ", "latin1"));
    await expect(loadImage(film)).rejects.toThrow(/live\.heic: a film, no picture/);
  });
});

describe("saveImage", () => {
  it("writes what it was given, and leaves no temporary file", async () => {
    const data = Uint8Array.from({ length: 5 * 4 * 3 }, (_, i) => (i * 37) % 256);
    const path = join(folder, "round.png");
    await saveImage(path, { width: 5, height: 4, data });
    expect([...(await loadImage(path)).data]).toEqual([...data]);
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    await expect(saveImage(join(folder, "x.doc"), { width: 5, height: 4, data })).rejects.toThrow(/end the name in/);
  });
});
