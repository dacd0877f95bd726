import { describe, expect, test } from "vitest";
import { trackFaces } from "../src/curate/track.ts";
import { KeyedRandom } from "../src/random.ts";
import { faceOf, frameOf } from "./faces.ts";

const random = new KeyedRandom(1);
const at = (x: number, y = 100, width = 80) => faceOf(random, { x, y, width });
const lengths = (tracks: { length: number }[]) => tracks.map(({ length }) => length);

describe("trackFaces", () => {
  test("follows one face, and two side by side that change their order", () => {
    const one = [0, 1, 2, 3].map((n) => frameOf(n, [at(100 + 20 * n)]));
    expect(trackFaces(one)).toEqual([[0, 1, 2, 3].map((frame) => ({ frame, face: 0 }))]);
    const two = [0, 1, 2].map((n) => frameOf(n, n === 1 ? [at(400), at(100)] : [at(100), at(400)]));
    expect(trackFaces(two)).toEqual([
      [
        { frame: 0, face: 0 },
        { frame: 1, face: 1 },
        { frame: 2, face: 0 },
      ],
      [
        { frame: 0, face: 1 },
        { frame: 1, face: 0 },
        { frame: 2, face: 1 },
      ],
    ]);
  });
  test("ends at a cut, even where the next face stands in the same place", () => {
    expect(lengths(trackFaces([frameOf(0, [at(100)]), frameOf(1, [at(100)]), frameOf(2, [at(100)], true)]))).toEqual([
      2, 1,
    ]);
  });
  test("bridges two missed frames and no more", () => {
    const gap = (missed: number) => [
      frameOf(0, [at(100)]),
      ...Array.from({ length: missed }, (_, i) => frameOf(i + 1, [])),
      frameOf(missed + 1, [at(110)]),
    ];
    expect(lengths(trackFaces(gap(2)))).toEqual([2]);
    expect(lengths(trackFaces(gap(3)))).toEqual([1, 1]);
  });
  test("a face that jumps or grows too much is another one", () => {
    expect(lengths(trackFaces([frameOf(0, [at(100)]), frameOf(1, [at(200)])]))).toEqual([1, 1]);
    expect(lengths(trackFaces([frameOf(0, [at(100, 100, 60)]), frameOf(1, [at(90, 90, 120)])]))).toEqual([1, 1]);
  });
  test("of two candidates the nearer one goes on; the other starts anew", () => {
    const tracks = trackFaces([frameOf(0, [at(100)]), frameOf(1, [at(150), at(105)])]);
    expect(tracks).toEqual([
      [
        { frame: 0, face: 0 },
        { frame: 1, face: 1 },
      ],
      [{ frame: 1, face: 0 }],
    ]);
  });
  test("every face is in exactly one track", () => {
    const many = new KeyedRandom(7);
    const frames = Array.from({ length: 40 }, (_, n) =>
      frameOf(
        n,
        Array.from({ length: many.below(4) }, () =>
          faceOf(many, { x: many.below(600), y: many.below(300), width: 40 + many.below(80) }),
        ),
        many.chance(0.1),
      ),
    );
    const seen = trackFaces(frames)
      .flat()
      .map(({ frame, face }) => `${frame}/${face}`);
    const all = frames.flatMap(({ faces }, frame) => faces.map((_, face) => `${frame}/${face}`));
    expect([...seen].sort()).toEqual([...all].sort());
  });
});
