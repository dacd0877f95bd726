import { join } from "node:path";
import {
  type AnalysedFace,
  alignedCrop,
  assetFolder,
  boundingBox,
  FaceAnalyser,
  faultOf,
  loadImage,
  type RgbImage,
  resizeImage,
  toSharp,
} from "@omni-id/face";
import { beforeAll, describe, expect, it } from "vitest";
import { turnPicture } from "../src/turned.ts";

/** Photographs of real people that face-api's package carries: they stay in the cache of the models. */
const sample = (number: number) => join(assetFolder("@vladmandic/face-api"), "demo", `sample${number}.jpg`);

let analyser: FaceAnalyser;
/** A photo of one person, and the face in it. */
let portrait: RgbImage;
let upright: AnalysedFace;

beforeAll(async () => {
  analyser = await FaceAnalyser.load();
  const photo = await loadImage(sample(3));
  const [face] = await analyser.analyse(photo);
  portrait = await cut(photo, face, 0.6);
  [upright] = await analyser.analyse(portrait);
});

const raw = async (picture: ReturnType<typeof toSharp>): Promise<RgbImage> => {
  const { data, info } = await picture.raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data: new Uint8Array(data) };
};
const turnedBy = (image: RgbImage, degrees: number) => raw(toSharp(image).rotate(degrees, { background: "#808080" }));
const cosine = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i], 0);

function cut(image: RgbImage, { box }: AnalysedFace, margin: number): Promise<RgbImage> {
  const [left, top] = [
    Math.max(0, Math.round(box.x - margin * box.width)),
    Math.max(0, Math.round(box.y - margin * box.width)),
  ];
  const side = Math.round((1 + 2 * margin) * box.width);
  return raw(
    toSharp(image).extract({
      left,
      top,
      width: Math.min(side, image.width - left),
      height: Math.min(side, image.height - top),
    }),
  );
}

describe("a picture that was turned", () => {
  it("turns back pixel by pixel", async () => {
    const data = Uint8Array.from({ length: 5 * 3 * 3 }, (_, i) => i);
    for (const turn of [90, 180, 270]) {
      const picture = await turnedBy({ width: 5, height: 3, data }, turn);
      const { image, matrix } = turnPicture(picture, turn);
      expect([image.width, image.height, [...image.data]]).toEqual([5, 3, [...data]]);
      // The first pixel's centre of the turned picture, where the matrix says it lies.
      const [x, y] = [matrix[0] * 0.5 + matrix[1] * 0.5 + matrix[2], matrix[3] * 0.5 + matrix[4] * 0.5 + matrix[5]];
      const at = 3 * (Math.floor(y) * 5 + Math.floor(x));
      expect([...data.subarray(at, at + 3)]).toEqual([...picture.data.subarray(0, 3)]);
    }
  });

  it.each([90, 180, 270, 135, 30])("by %s° shows the same person, upright in the aligned crop", async (turn) => {
    const picture = await turnedBy(portrait, turn);
    const [face] = await analyser.analyse(picture);
    expect(cosine(face.feature, upright.feature)).toBeGreaterThan(0.85);
    expect(Math.abs(face.size / upright.size - 1)).toBeLessThan(0.15);
    expect(Math.cos(((face.pose.roll - upright.pose.roll - turn) * Math.PI) / 180)).toBeGreaterThan(0.9);
    const [a, b] = [face, upright].map((one, i) => alignedCrop([picture, portrait][i], one.landmarks, 64).image.data);
    const difference = a.reduce((sum, value, i) => sum + Math.abs(value - b[i]), 0) / a.length;
    expect(difference).toBeLessThan(12); // of 255; crops of another turn differ by 40 and more
    expect(faultOf(picture, face)).toBeUndefined();
  });

  it("is not looked at in other turns where the face fits", () => {
    expect(upright.turn).toBe(0);
    expect(upright.clarity).toBeGreaterThan(2.8);
  });
});

describe("a face of which nothing can be told", () => {
  const faultAfter = async (spoil: (picture: ReturnType<typeof toSharp>) => ReturnType<typeof toSharp>) => {
    const image = await raw(spoil(toSharp(portrait)));
    const [face] = await analyser.analyse(image);
    return face && faultOf(image, face);
  };

  it("is refused with the true reason: blurred, cut off, small", async () => {
    const { box, size } = upright;
    const blurred = await faultAfter((picture) => picture.blur(0.06 * size));
    if (blurred) expect(blurred).toEqual({ fault: "blurred", severity: "refuse" });
    const half = Math.round(box.y + 0.5 * box.height);
    expect(
      await faultAfter((picture) => picture.extract({ left: 0, top: 0, width: portrait.width, height: half })),
    ).toEqual({
      fault: "cut off",
      severity: "refuse",
    });
    const left = Math.round(box.x + 0.55 * box.width);
    const side = await faultAfter((picture) =>
      picture.extract({ left, top: 0, width: portrait.width - left, height: portrait.height }),
    );
    if (side) expect(side).toEqual({ fault: "cut off", severity: "refuse" });
    expect(await faultAfter((picture) => picture.resize(Math.round((16 / size) * portrait.width)))).toEqual({
      fault: "small",
      severity: "refuse",
    });
  });

  it("is told dark where it is dark, and hidden where it is hidden", async () => {
    const dark = await faultAfter((picture) => picture.linear(0.13, 0));
    if (dark) expect(dark.fault).toBe("dark");
    const { box } = upright;
    const [width, height] = [1.2 * box.width, 0.62 * box.height].map(Math.round);
    const scarf = { create: { width, height, channels: 3 as const, background: "#46506e" } };
    const [left, top] = [Math.max(0, Math.round(box.x - 0.1 * box.width)), Math.round(box.y + 0.5 * box.height)];
    const hidden = await faultAfter((picture) => picture.composite([{ input: scarf, left, top }]).removeAlpha());
    expect(hidden?.fault).toBe("hidden");
  });
});

describe("a very large picture", () => {
  it("shows faces of 64 and of 160 pixels, as every small one does", async () => {
    const wide = new Uint8Array(12_000 * 2_000 * 3).fill(110);
    const panorama = { width: 12_000, height: 2_000, data: wide };
    const places: [number, number][] = [];
    for (const [i, width] of [160, 64, 160, 64, 160].entries()) {
      const scale = width / upright.size;
      const small = await resizeImage(
        portrait,
        Math.round(portrait.width * scale),
        Math.round(portrait.height * scale),
      );
      const [x, y] = [700 + 2600 * i, 150 + 340 * i];
      for (let row = 0; row < small.height; row++) {
        const line = small.data.subarray(3 * row * small.width, 3 * (row + 1) * small.width);
        wide.set(line, 3 * ((y + row) * 12_000 + x));
      }
      const around = boundingBox(upright.landmarks);
      places.push([x + (around.x + around.width / 2) * scale, y + (around.y + around.height / 2) * scale]);
    }
    const faces = (await analyser.analyse(panorama)).filter((face) => faultOf(panorama, face) === undefined);
    expect(faces).toHaveLength(5);
    for (const [x, y] of places) {
      const hit = faces.filter(({ box }) => x > box.x && x < box.x + box.width && y > box.y && y < box.y + box.height);
      expect(hit).toHaveLength(1);
      expect(cosine(hit[0].feature, upright.feature)).toBeGreaterThan(0.6);
    }
  });
});
