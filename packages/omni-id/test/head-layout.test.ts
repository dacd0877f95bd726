import { alignmentMatrix, transformPoints } from "@omni-id/face";
import { describe, expect, it } from "vitest";
import { drawLayout } from "../src/generate/scene-layout.ts";
import { LAYOUT_CHANNELS, layoutOf, layoutTokens } from "../src/pictures/head-layout.ts";

/** Eyes, mouth and what lies around them, pixels of a picture of 100. */
const FACE = Float32Array.from({ length: 136 }, (_, i) => {
  const point = i >> 1;
  const [x, y] =
    point < 36 ? [50, 60] : point < 42 ? [40, 40] : point < 48 ? [60, 40] : point === 48 ? [44, 62] : [56, 62];
  return i % 2 === 0 ? x : y;
});
const POSE = { yaw: 12, pitch: -4, roll: 0 };

/** The face turned about the picture's middle, scaled and moved. */
const moved = (degrees: number, scale: number, [dx, dy]: readonly number[]) => {
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180) * scale, Math.sin((degrees * Math.PI) / 180) * scale];
  return transformPoints(FACE, [cos, -sin, 50 - 50 * (cos - sin) + dx, sin, cos, 50 - 50 * (sin + cos) + dy]);
};

describe("where a head is", () => {
  it("follows the face: what moves, turns and scales it does the same to the layout", () => {
    const still = layoutOf(FACE, 100, POSE);
    expect(still.roll).toBeCloseTo(0, 5);
    expect(still).toMatchObject({ yaw: 12, pitch: -4 });
    const turned = layoutOf(moved(20, 1, [0, 0]), 100, POSE);
    expect(turned.roll).toBeCloseTo(20, 3);
    expect(Math.hypot(turned.x, turned.y)).toBeCloseTo(Math.hypot(still.x, still.y), 5);
    expect(layoutOf(moved(0, 0.5, [0, 0]), 100, POSE).size).toBeCloseTo(still.size / 2, 5);
    const right = layoutOf(moved(0, 1, [10, -5]), 100, POSE);
    expect([right.x - still.x, right.y - still.y]).toEqual([expect.closeTo(0.2, 5), expect.closeTo(-0.1, 5)]);
    // The same numbers whatever the size of the picture.
    expect(
      layoutOf(
        FACE.map((value) => 2 * value),
        200,
        POSE,
      ),
    ).toEqual(still);
  });

  it("is told to each token by its place in the face's aligned crop", () => {
    const across = 4;
    const landmarks = moved(-15, 0.7, [8, 3]);
    const tokens = layoutTokens([layoutOf(landmarks, 100, POSE)], across);
    expect(tokens.shape).toEqual([1, across ** 2, LAYOUT_CHANNELS]);
    const told = (tokens.tolist() as number[][][])[0];
    const toCrop = alignmentMatrix(landmarks, 2);
    for (const [token, row] of told.entries()) {
      const middle = [token % across, Math.floor(token / across)].map((place) => ((place + 0.5) * 100) / across);
      const crop = transformPoints(middle, toCrop);
      for (const [axis, place] of [...crop].entries()) {
        const [sin, cos] = row.slice(8 * axis, 8 * axis + 2);
        const near = Math.max(-3, Math.min(3, place - 1));
        expect(Math.atan2(sin, cos) / (Math.PI / 4)).toBeCloseTo(near, 4);
      }
    }
  });
});

describe("where a head is drawn", () => {
  const drawn = (prompt: string) => Array.from({ length: 50 }, (_, number) => drawLayout({ prompt, seed: 3, number }));

  it("follows the words, and the seed where these say nothing", () => {
    const sizes = (prompt: string) => drawn(prompt).map(({ size }) => size);
    const near = Math.min(...sizes("a close-up of a man in the snow"));
    expect(near).toBeGreaterThan(Math.max(...sizes("head and shoulders photo of a man")));
    expect(Math.min(...sizes("a man in the snow"))).toBeGreaterThan(Math.max(...sizes("half figure photo of a man")));
    for (const { x } of drawn("a man on a beach, on the left")) expect(x).toBeLessThan(0);
    for (const { x } of drawn("a man on a beach, on the right")) expect(x).toBeGreaterThan(0);
    const [hat, none] = ["a man in a blue hat", "a man"].map(drawn);
    for (const [i, { y }] of hat.entries()) expect(y).toBeCloseTo(none[i].y + 0.1, 5);
    expect(drawn("a man")).toEqual(none);
    expect(new Set(none.map(({ x }) => x)).size).toBe(50);
  });

  it("takes a pose that is given, and stays where it was", () => {
    const wish = { prompt: "a man", seed: 3, number: 1 };
    const pose = { yaw: 25, pitch: 5, roll: -3 };
    expect(drawLayout({ ...wish, pose })).toEqual({ ...drawLayout(wish), ...pose });
  });
});
