import { alignmentMatrix, FFHQ_FRAMING, transformPoints, warp } from "@omni-id/face/analysis";
import { expect, test } from "vitest";
import { describeFace } from "../src/import/describe-face.ts";
import { glassesSeen, showsGlasses } from "../src/import/glasses.ts";
import { rocAuc } from "../src/roc.ts";
import { drawPerson } from "../src/synth/person.ts";
import { Portrait } from "../src/synth/render.ts";
import { drawView } from "../src/synth/view.ts";

const SIDE = 160;

/** A made-up person with and without their glasses, cut as pictures of a set are. */
async function pair(identity: number) {
  const person = drawPerson(77, identity);
  const portrait = await Portrait.create({ ...person, glasses: { ...person.glasses, worn: true } }, { size: 200 });
  const view = drawView(person, 0);
  return [false, true].map((glasses) => {
    const ahead = { ...view, yaw: view.yaw / 3, pitch: view.pitch / 3, glasses };
    const { image, landmarks, pose, mask } = portrait.render(ahead, 200);
    const matrix = alignmentMatrix(landmarks, SIDE, FFHQ_FRAMING);
    const picture = warp(image, matrix, SIDE, SIDE);
    return { picture, landmarks: transformPoints(landmarks, matrix), pose, mask };
  });
}

test("glasses of rendered people are told where they are worn, mostly, and never where they are not", async () => {
  const bare: number[] = [];
  const worn: number[] = [];
  let told = 0;
  for (let identity = 0; identity < 16; identity++) {
    const [without, wearing] = await pair(identity);
    bare.push(glassesSeen(without.picture, without.landmarks));
    worn.push(glassesSeen(wearing.picture, wearing.landmarks));
    expect(showsGlasses(without.picture, without.landmarks, without.pose)).toBe(false);
    expect(describeFace(without)).not.toMatch(/glasses/);
    if (!showsGlasses(wearing.picture, wearing.landmarks, wearing.pose)) continue;
    told++;
    expect(describeFace(wearing)).toMatch(/^a photo of a person with glasses, /);
    // A turned head is not asked.
    expect(showsGlasses(wearing.picture, wearing.landmarks, { ...wearing.pose, yaw: 40 })).toBe(false);
  }
  expect(told).toBeGreaterThanOrEqual(8);
  expect(rocAuc(worn, bare)).toBeGreaterThan(0.97);
});

test("a picture without anything in it, and eyes that fall together, show none", () => {
  const picture = { width: SIDE, height: SIDE, data: new Uint8Array(3 * SIDE * SIDE).fill(90) };
  const ahead = { yaw: 0, pitch: 0, roll: 0 };
  expect(showsGlasses(picture, new Float32Array(136).fill(20), ahead)).toBe(false);
  const eyes = Float32Array.from({ length: 136 }, (_, i) => (i % 2 ? 70 : i < 84 ? 60 : 100));
  expect(showsGlasses(picture, eyes, ahead)).toBe(false);
});
