import { describe, expect, test } from "vitest";
import type { FrameSeen, MeasuredFace } from "../src/curate/observation.ts";
import { decidePerson } from "../src/import/decide-person.ts";
import { describeFace, lightInWords, poseInWords } from "../src/import/describe-face.ts";
import { importSettings } from "../src/import/settings.ts";
import { KeyedRandom } from "../src/random.ts";
import { faceOf, frameOf } from "./faces.ts";

const settings = importSettings("nano");
const random = new KeyedRandom(12);
const photo = (...faces: MeasuredFace[]): FrameSeen[] => [frameOf(0, faces)];
let turn = 0;
/** A face of a made-up person, in a pose of its own: no two are nearly the same. */
const face = (person: number, { width = 80, away = 0.1, quality = 0.5 } = {}): MeasuredFace => ({
  ...faceOf(random, { person, width, quality, pose: { yaw: (turn++ * 7) % 60 } }),
  away,
});
function fates(photos: FrameSeen[][]) {
  const { people, dropped } = decidePerson(photos, settings);
  const chosen = new Set(people.flatMap((person) => person.chosen.map(({ seen }) => seen as unknown)));
  return photos.map(([{ faces }]) =>
    faces.map((seen) => (chosen.has(seen) ? "kept" : dropped.get(seen as MeasuredFace))),
  );
}

describe("decidePerson", () => {
  test("a photo of somebody else is left out, and so are bystanders, larger ones too", () => {
    expect(
      fates([
        photo(face(1)),
        photo(face(2, { width: 120 }), face(1)),
        photo(face(3)),
        photo(face(1), face(4, { width: 60, away: 0.8 })),
        photo(face(1)),
      ]),
    ).toEqual([["kept"], ["bystander", "kept"], ["stranger"], ["kept", "bystander"], ["kept"]]);
  });

  test("in a single photo the most prominent face counts: large, in the middle", () => {
    expect(fates([photo(face(1, { width: 70, away: 0.1 }), face(2, { width: 80, away: 0.9 }))])).toEqual([
      ["kept", "bystander"],
    ]);
    expect(fates([photo(face(1, { width: 50 }), face(2, { width: 110 }))])).toEqual([["bystander", "kept"]]);
  });

  test("two people in one folder: whom more photos show stays, the other one is called a second person", () => {
    const photos = [1, 2, 1, 2, 1].map((person) => photo(face(person)));
    expect(fates(photos).flat()).toEqual(["kept", "second", "kept", "second", "kept"]);
  });

  test("whoever stands beside the person again and again is not the person", () => {
    const pair = [photo(face(1), face(2)), photo(face(1), face(2)), photo(face(1))];
    expect(fates(pair)).toEqual([["kept", "bystander"], ["kept", "bystander"], ["kept"]]);
  });

  test("two photos that show nobody alike: one is kept", () => {
    expect(fates([photo(face(1)), photo(face(2, { width: 110 }))]).flat()).toEqual(["stranger", "kept"]);
  });

  test("of nearly the same pictures the better recorded stays", () => {
    const first = face(1, { quality: 0.3 });
    expect(fates([photo(first), photo({ ...first, quality: 0.6 }), photo(face(1))]).flat()).toEqual([
      "duplicate",
      "kept",
      "kept",
    ]);
  });

  test("a thousand photos of a person, a tenth of somebody else", () => {
    const photos = Array.from({ length: 1000 }, (_, i) => {
      const own = face(i % 10 === 3 ? 100 + i : 1);
      return photo({ ...own, look: BigInt(i) * 0x0123456789abcdfn });
    });
    const all = fates(photos).flat();
    expect(all.filter((fate) => fate === "stranger")).toHaveLength(100);
    expect(all.every((fate, i) => (fate === "stranger") === (i % 10 === 3))).toBe(true);
  });

  test("photos without faces are nobody", () => {
    expect(decidePerson([photo(), []], settings).people).toEqual([]);
    expect(decidePerson([], settings).people).toEqual([]);
  });
});

describe("describeFace", () => {
  const side = 40;
  const mask = new Uint8Array(side * side).fill(255);
  const picture = (grey: (x: number) => number) => ({
    width: side,
    height: side,
    data: Uint8Array.from({ length: 3 * side * side }, (_, i) => grey(Math.floor(i / 3) % side)),
  });
  const ahead = { yaw: 3, pitch: 0, roll: 0 };

  test("tells the side of the light where one half is brighter, else how bright it is", () => {
    expect(
      lightInWords(
        picture((x) => 60 + 4 * x),
        mask,
        ahead,
      ),
    ).toBe("light from the right");
    expect(
      lightInWords(
        picture((x) => 200 - 4 * x),
        mask,
        ahead,
      ),
    ).toBe("light from the left");
    expect(
      lightInWords(
        picture((x) => 60 + 4 * x),
        mask,
        { ...ahead, yaw: 30 },
      ),
    ).toBe("even light");
    expect(
      ["40", "120", "220"].map((grey) =>
        lightInWords(
          picture(() => Number(grey)),
          mask,
          ahead,
        ),
      ),
    ).toEqual(["dim light", "even light", "bright light"]);
    expect(
      lightInWords(
        picture(() => 9),
        new Uint8Array(side * side),
        ahead,
      ),
    ).toBe("");
  });
  test("tells the pose as the captions of rendered people do", () => {
    const words = (yaw: number, pitch = 0) => poseInWords({ yaw, pitch, roll: 0 });
    expect([words(5), words(20), words(-50), words(0, 20), words(-20, -30)]).toEqual([
      "facing the camera",
      "turned to the right",
      "turned far to the left",
      "looking up",
      "turned to the left, looking down",
    ]);
    expect(describeFace({ picture: picture(() => 120), mask, landmarks: new Float32Array(136), pose: ahead })).toBe(
      "a photo of a person, facing the camera, even light",
    );
  });
});
