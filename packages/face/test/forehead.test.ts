import { faceMask, faceMaskWithoutHair, type RgbImage } from "@omni-id/face";
import { describe, expect, test } from "vitest";

/** 68 points of an upright face in a crop of 100 × 100: only what the mask uses is placed with care. */
function landmarks(): number[] {
  const points: [number, number][] = [];
  for (let i = 0; i < 17; i++) {
    const angle = Math.PI - (Math.PI * i) / 16;
    points.push([50 + 30 * Math.cos(angle), 45 + 45 * Math.sin(angle)]);
  }
  for (let i = 0; i < 10; i++) points.push([26 + 5.3 * i, 38]); // brows
  for (let i = 0; i < 9; i++) points.push([50, 45 + 2 * i]); // nose
  for (let i = 0; i < 12; i++) points.push([(i < 6 ? 30 : 62) + (i % 6), 46]); // eyes
  for (let i = 0; i < 20; i++) points.push([40 + i, 75]); // mouth
  return points.flat();
}

function picture(colour: (x: number, y: number) => [number, number, number]): RgbImage {
  const data = new Uint8Array(100 * 100 * 3);
  for (let y = 0; y < 100; y++) for (let x = 0; x < 100; x++) data.set(colour(x, y), 3 * (y * 100 + x));
  return { width: 100, height: 100, data };
}
const SKIN: [number, number, number] = [200, 150, 125];
const HAIR: [number, number, number] = [40, 28, 22];

describe("faceMaskWithoutHair", () => {
  const whole = faceMask(landmarks(), 100, 100);
  const at = (mask: Uint8Array, x: number, y: number) => mask[y * 100 + x] > 0;

  test("a bare forehead stays as it is", () => {
    expect(
      faceMaskWithoutHair(
        picture(() => SKIN),
        landmarks(),
      ),
    ).toEqual(whole);
  });

  test("hair over the forehead goes, the skin below it stays", () => {
    const mask = faceMaskWithoutHair(
      picture((_, y) => (y < 28 ? HAIR : SKIN)),
      landmarks(),
    );
    expect([at(whole, 50, 24), at(mask, 50, 24)]).toEqual([true, false]);
    expect(at(mask, 50, 32)).toBe(true);
  });

  test("brows, eyes and a beard are no hair over the forehead", () => {
    const mask = faceMaskWithoutHair(
      picture((_, y) => (y > 78 ? HAIR : SKIN)),
      landmarks(),
    );
    expect(mask).toEqual(whole);
  });

  test("a single dark pixel is no hair; a face beside the picture is no error", () => {
    expect(
      faceMaskWithoutHair(
        picture((x, y) => (x === 50 && y === 30 ? HAIR : SKIN)),
        landmarks(),
      ),
    ).toEqual(whole);
    const away = landmarks().map((value) => value + 500);
    expect(
      faceMaskWithoutHair(
        picture(() => SKIN),
        away,
      ).some((byte) => byte > 0),
    ).toBe(false);
  });
});
