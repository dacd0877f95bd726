import type { FilmTruth, Outcome } from "@omni-id/data";
import { describe, expect, it } from "vitest";
import { compareCuts } from "../src/evaluate/film-cuts.ts";
import { matchFilm } from "../src/evaluate/film-truth.ts";

/** A film of 10 frames a second: who is in each, by shot; small letters are half out of the picture. */
function filmOf(shots: string[]): FilmTruth {
  const frames = shots.flatMap((people, shot) =>
    people.split("").map((person) => ({
      shot,
      faces: [{ person: person.toUpperCase(), visible: person === person.toUpperCase() ? 1 : 0.5 }],
    })),
  );
  return {
    film: { name: "film", height: 48, fps: 10, crf: 20, shots: [] },
    width: 96,
    frames: frames.map((frame, i) => ({ ...frame, t: i / 10 })) as unknown as FilmTruth["frames"],
  };
}

const seen = (cuts: number[]): Outcome => ({
  video: { video: "film", key: "film" },
  clips: [{ clip: "whole", frames: 6, empty: 0, cuts }],
  faces: [],
  people: [],
});

describe("compareCuts", () => {
  const truth = filmOf(["AAAA", "AAA", "BBbbB"]); // looked at: A A | A A | b B
  const compared = (cuts: number[]) => compareCuts([matchFilm(truth, seen(cuts), 5)]);
  it("tells cuts to others from jumps of the same person", () => {
    const { toOthers, jumps, precision, torn } = compared([0.8]);
    expect(toOthers).toEqual({ value: 1, n: 1 });
    expect(jumps).toEqual({ value: 0, n: 1 });
    expect(precision).toEqual({ value: 1, n: 1 });
    expect(torn).toEqual({ value: 0, n: 2 }); // A from 0 to 1 and from 2 to 3; b is not wholly there
  });
  it("a wrong cut tears whoever is wholly visible on both sides", () => {
    expect(compared([0.2, 0.4, 1]).torn).toEqual({ value: 0.5, n: 2 });
    expect(compared([0.2, 0.4, 1]).precision.value).toBeCloseTo(1 / 3, 12);
    expect(compared([0.2]).toOthers).toEqual({ value: 0, n: 1 });
  });
});
