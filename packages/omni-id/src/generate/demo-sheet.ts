import type { RgbImage } from "@omni-id/face";
import { scope } from "@omni-id/torch";
import type { Identity } from "../identity.ts";
import { saveSheet, toRgb } from "../pictures/picture.ts";
import type { FaceGenerator } from "./face-generator.ts";

interface Shown {
  /** Three of the photos, aligned. */
  inputs: (RgbImage | null)[];
  identity: Identity;
  /** How many photos the identity is made from. */
  photos: number;
}

const YAWS = [-40, -20, 0, 20, 40];
const SEED = 5;

/** New pictures of a person in five poses, twice, and of somebody else from the same noise. */
export async function saveGeneratedSheet(
  file: string,
  generator: FaceGenerator,
  { person, other, guidance }: { person: Shown; other: Shown; guidance: number },
): Promise<void> {
  const row = ({ inputs, identity }: Shown, seed: number): (RgbImage | null)[] => {
    const pictures = YAWS.map((yaw) =>
      scope(() => {
        const landmarks = generator.poseLandmarks({ yaw, pitch: 0 });
        return toRgb(generator.generate({ identity: identity.tokens, landmarks, count: 1, seed, guidance }).squeeze(0));
      }),
    );
    return [...inputs, ...pictures];
  };
  await saveSheet(file, {
    title: `New pictures of a person, from one identity of ${person.photos} photos`,
    columns: ["inputs", "", "", ...YAWS.map((yaw) => `yaw ${yaw}°`)],
    rows: [row(person, SEED), row(person, SEED + 1), row(other, SEED)],
    notes: [
      "Every pixel on the right comes from noise: of the person only the identity file is given, of the pose only 68 landmarks of a mean face.",
      `Guidance ${guidance}. Second row: other noise. Third row: somebody else's identity, with the first row's noise and poses.`,
    ],
    tile: 128,
  });
}
