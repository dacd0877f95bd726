import type { FaceAnalyser, RgbImage } from "@omni-id/face/analysis";
import { describe, expect, test } from "vitest";
import { isAsking, lyingBy, lyingWords, turnOf } from "../src/curate/lying.ts";
import type { FrameSeen } from "../src/curate/observation.ts";

const box = { x: 0, y: 0, width: 100, height: 100 };
/** A frame a face, with what was answered of it. */
const frames = (...turns: (number | undefined)[]): FrameSeen[] =>
  turns.map((turn, n) => ({ n, t: n / 5, cut: false, faces: [{ box, score: 0.9, turn }] }));

describe("a film that lies on its side", () => {
  test("is known by its faces", () => {
    expect(lyingBy(frames(90, 90, undefined, 90))).toBe(90);
    expect(lyingBy(frames(270, 270, 270))).toBe(270);
    expect(lyingBy(frames(180, 180, 0, 180, 180, 180))).toBe(180);
    expect(lyingWords(180)).toMatch(/stands on its head/);
  });

  test("an upright one is not, though somebody in it lies down", () => {
    expect(lyingBy(frames(0, 0, 0))).toBeUndefined();
    expect(lyingBy(frames(90, 0, 90, 0, 90, 0))).toBeUndefined();
    expect(lyingBy(frames(90, 90))).toBeUndefined();
    expect(lyingBy(frames(undefined, undefined, undefined))).toBeUndefined();
  });

  test("is asked of the first faces alone", () => {
    expect(isAsking([])).toBe(true);
    expect(isAsking(frames(0, 0, 0, undefined, 0, 0))).toBe(true);
    expect(isAsking(frames(0, 0, 0, 0, 0, 0))).toBe(false);
    expect(isAsking(frames(...Array<undefined>(50).fill(undefined)))).toBe(false);
  });

  test("a face's turn is the one in which it fits, 0 where it is clear as it is", async () => {
    const frame: RgbImage = { width: 1, height: 1, data: new Uint8Array(3) };
    const answering = (turn?: number) => ({ turned: async () => turn && { turn } }) as unknown as FaceAnalyser;
    expect(await turnOf(answering(90), frame, { box, score: 1 }, 1.7)).toBe(90);
    expect(await turnOf(answering(), frame, { box, score: 1 }, 3)).toBe(0);
    expect(await turnOf(answering(), frame, { box, score: 1 }, 1.7)).toBeUndefined();
  });
});
