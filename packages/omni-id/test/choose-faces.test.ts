import type { AnalysedFace, Fault, RgbImage } from "@omni-id/face";
import { describe, expect, it } from "vitest";
import { chooseFaces, type FoundPhoto, mainFace, type Portrait } from "../src/pictures/choose-faces.ts";

const image: RgbImage = { width: 1000, height: 1000, data: new Uint8Array(3_000_000).fill(120) };

interface Wanted {
  /** Number of the person: features of two people are at right angles. */
  who: number;
  width?: number;
  score?: number;
  fault?: Fault;
  severity?: "refuse" | "warn";
}

function portrait({ who, width = 100, score = 0.99, fault, severity = "refuse" }: Wanted): Portrait {
  const feature = new Float32Array(512);
  feature[who] = 1;
  const landmarks = new Float32Array(136).fill(500);
  const box = { x: 400, y: 400, width, height: width };
  const pose = { yaw: 0, pitch: 0, roll: 0 };
  const face: AnalysedFace = {
    box,
    score,
    landmarks,
    pose,
    quality: 1,
    size: width,
    turn: 0,
    feature,
    strength: 3,
    clarity: 3,
  };
  return { image, face, width, fault: fault && { fault, severity } };
}

const photo = (name: string, ...faces: Wanted[]): FoundPhoto => ({ name, faces: faces.map(portrait) });
const whoIs = ({ face }: Portrait) => face.feature.indexOf(1);
const people = (...photos: FoundPhoto[]) => {
  const { chosen, refused, warnings } = chooseFaces(photos);
  return { chosen: chosen.map((one) => [one.name, whoIs(one)]), refused, warnings };
};

describe("chooseFaces", () => {
  it("takes the one who is in all photos, with others and never alone", () => {
    const { chosen, refused } = people(
      photo("a", { who: 1 }, { who: 2 }),
      photo("b", { who: 3 }, { who: 1 }),
      photo("c", { who: 4, width: 180 }, { who: 1 }),
    );
    expect(chosen).toEqual([
      ["a", 1],
      ["b", 1],
      ["c", 1],
    ]);
    expect(refused).toEqual([]);
  });

  it("a blob of low score, or one that shows nobody, makes no portrait ambiguous", () => {
    expect(people(photo("a", { who: 1 }, { who: 9, score: 0.67, width: 110 })).chosen).toEqual([["a", 1]]);
    expect(people(photo("a", { who: 1 }, { who: 9, fault: "hidden", score: 0.7 })).chosen).toEqual([["a", 1]]);
  });

  it("two people of like size in one photo: refuses to guess; the larger one where there is one", () => {
    expect(people(photo("a", { who: 1 }, { who: 2 })).refused[0].reason).toMatch(
      /2 faces of like size, and no other photo/,
    );
    expect(people(photo("a", { who: 1 }, { who: 2, width: 160 })).chosen).toEqual([["a", 2]]);
  });

  it("a couple that is in every photo, and one photo of one of them", () => {
    const couple = [photo("a", { who: 1 }, { who: 2 }), photo("b", { who: 2 }, { who: 1 })];
    const { chosen, refused } = people(...couple);
    expect(chosen).toEqual([]);
    expect(refused.map(({ reason }) => reason)).toEqual(
      Array(2).fill(expect.stringMatching(/they show the same people/)),
    );
    expect(people(...couple, photo("c", { who: 2 })).chosen).toEqual([
      ["a", 2],
      ["b", 2],
      ["c", 2],
    ]);
  });

  it("one person twice in a photo (a mirror, a collage) is one person", () => {
    expect(people(photo("a", { who: 1 }, { who: 1, width: 95 })).chosen).toEqual([["a", 1]]);
  });

  it("somebody else alone goes in with a warning; several strangers do not", () => {
    const { chosen, refused, warnings } = people(
      photo("a", { who: 1 }),
      photo("b", { who: 1 }),
      photo("c", { who: 2 }),
      photo("d", { who: 3 }, { who: 4 }),
    );
    expect(chosen).toEqual([
      ["a", 1],
      ["b", 1],
      ["c", 2],
    ]);
    expect(warnings).toEqual(["c seems to show somebody else than the other photos"]);
    expect(refused).toEqual([
      { photo: "d", reason: expect.stringMatching(/none is the person whom the other photos show/) },
    ]);
  });

  it("does not take somebody in the background for a large face that is blurred", () => {
    const blurred = photo("a", { who: 1, width: 300, fault: "blurred" }, { who: 2, width: 60 });
    expect(people(blurred).refused).toEqual([{ photo: "a", reason: expect.stringMatching(/blurred/) }]);
    expect(people(blurred, photo("b", { who: 2 })).chosen).toEqual([
      ["a", 2],
      ["b", 2],
    ]);
  });

  it("says what is wrong with the one face there is, and warns near it", () => {
    expect(people(photo("a", { who: 1, fault: "dark" })).refused).toEqual([
      { photo: "a", reason: expect.stringMatching(/too dark/) },
    ]);
    const near = people(photo("a", { who: 1, fault: "blurred", severity: "warn" }));
    expect(near.chosen).toHaveLength(1);
    expect(near.warnings).toEqual([expect.stringMatching(/^a tells less than it could: the face is blurred/)]);
  });

  it("gives no answer to no photos", () => {
    expect(people()).toEqual({ chosen: [], refused: [], warnings: [] });
  });
});

describe("mainFace", () => {
  it("is the most prominent face that can be used", () => {
    const grid = (who: number, width: number) => {
      const { face } = portrait({ who, width });
      const landmarks = face.landmarks.map((_, i) => 450 + ((i * 37) % 100));
      return { ...face, landmarks };
    };
    expect(mainFace("a", image, [grid(1, 60), grid(2, 90)]).feature[2]).toBe(1);
    expect(mainFace("a", image, [{ ...grid(1, 90), clarity: 1 }, grid(2, 60)]).feature[2]).toBe(1);
    expect(() => mainFace("a.jpg", image, [])).toThrow(/^a\.jpg: no face found/);
    expect(() => mainFace("a.jpg", image, [{ ...grid(1, 90), clarity: 1 }])).toThrow(
      /^a\.jpg: the face has almost no contrast/,
    );
  });
});
