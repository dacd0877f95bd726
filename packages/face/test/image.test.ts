import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
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
    ["page.jpg", "<html><body>404</body></html>", /page\.jpg: not a picture|page\.jpg: the file is damaged/],
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
