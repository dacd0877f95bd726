import { type Pose, type RgbImage, similarity, warp } from "@omni-id/face/analysis";

/** The part around the eyes, in pixels: so many from eye to eye, these middle between them. */
const EYE_TO_EYE = 40;
const PATCH = { width: 88, height: 56, x: 44, y: 20 } as const;
/** Parts of the patch, over the distance of the eyes: the bridge of the nose, and what lies below each eye. */
const BRIDGE = { left: -0.12, right: 0.12, top: -0.25, bottom: 0.25 } as const;
const BELOW = { left: -0.22, right: 0.22, top: 0.18, bottom: 0.6 } as const;
const AROUND = { left: -1, right: 1, top: -0.1, bottom: 0.9 } as const;
/** Grey levels that every face is taken to vary by at least. */
const LEAST_CONTRAST = 8;
/** Degrees beyond which the frame's bridge is not seen as a line, or brows are. */
const [MOST_YAW, MOST_PITCH] = [25, 15];
/** Evidence from which glasses are told; rendered faces without any reach 0.3, real ones seldom more, and thin frames stay below. */
const SURE = 0.55;

/**
 * Whether a face surely wears glasses: both the bridge of a frame and its lower rims are seen. Where it says no there
 * may be some: rimless ones, or ones in front of a turned head. `docs/import.md` has the measurement.
 * @param landmarks 68 points, pixels of the picture
 */
export function showsGlasses(picture: RgbImage, landmarks: ArrayLike<number>, { yaw, pitch }: Pose): boolean {
  return Math.abs(yaw) < MOST_YAW && Math.abs(pitch) < MOST_PITCH && glassesSeen(picture, landmarks) > SURE;
}

/** How much the lines of a frame stand out, over the contrast of the face: of a bare one mostly 0.1 to 0.3. */
export function glassesSeen(picture: RgbImage, landmarks: ArrayLike<number>): number {
  const [right, left] = [middle(landmarks, 36, 42), middle(landmarks, 42, 48)];
  const [x0, x1] = [PATCH.x - EYE_TO_EYE / 2, PATCH.x + EYE_TO_EYE / 2];
  const matrix = similarity([...right, ...left], [x0, PATCH.y, x1, PATCH.y]);
  if (!matrix.every(Number.isFinite)) return 0; // eyes that fall together
  const grey = smoothed(warp(picture, matrix, PATCH.width, PATCH.height));
  const bridge = lines(grey, BRIDGE, 0);
  const below = (lines(grey, BELOW, -0.5) + lines(grey, BELOW, 0.5)) / 2;
  return Math.sqrt(bridge * below) / (contrast(grey) + LEAST_CONTRAST);
}

type Part = Readonly<Record<"left" | "right" | "top" | "bottom", number>>;

function middle(landmarks: ArrayLike<number>, from: number, to: number): [number, number] {
  let [x, y] = [0, 0];
  for (let i = from; i < to; i++) {
    x += landmarks[2 * i];
    y += landmarks[2 * i + 1];
  }
  return [x / (to - from), y / (to - from)];
}

/** Grey values, each the mean of its neighbourhood by 1, 2, 1 each way: noise makes no lines. */
function smoothed({ width, height, data }: RgbImage): Float64Array {
  const grey = Float64Array.from({ length: width * height }, (_, i) => {
    return 0.299 * data[3 * i] + 0.587 * data[3 * i + 1] + 0.114 * data[3 * i + 2];
  });
  const blurred = (values: Float64Array, step: number, places: (i: number) => readonly [at: number, most: number]) =>
    values.map((value, i) => {
      const [at, most] = places(i);
      return (2 * value + values[at > 0 ? i - step : i] + values[at < most ? i + step : i]) / 4;
    });
  const across = blurred(grey, 1, (i) => [i % width, width - 1]);
  return blurred(across, width, (i) => [Math.floor(i / width), height - 1]);
}

/** From the strongest step to the darker up to the strongest one to the brighter, going down rows of a part. */
function lines(grey: Float64Array, { left, right, top, bottom }: Part, shift: number): number {
  const [x0, x1] = [column(shift + left), column(shift + right)];
  let [least, most] = [0, 0];
  for (let y = row(top); y < row(bottom); y++) {
    let step = 0;
    for (let x = x0; x < x1; x++) step += grey[(y + 1) * PATCH.width + x] - grey[y * PATCH.width + x];
    least = Math.min(least, step / (x1 - x0));
    most = Math.max(most, step / (x1 - x0));
  }
  return most - least;
}

/** Deviation of the grey values around eyes and nose. */
function contrast(grey: Float64Array): number {
  let [count, sum, squares] = [0, 0, 0];
  for (let y = row(AROUND.top); y < row(AROUND.bottom); y++) {
    for (let x = column(AROUND.left); x < column(AROUND.right); x++) {
      const value = grey[y * PATCH.width + x];
      count++;
      sum += value;
      squares += value * value;
    }
  }
  return Math.sqrt(Math.max(0, squares / count - (sum / count) ** 2));
}

const column = (u: number) => Math.round(PATCH.x + u * EYE_TO_EYE);
const row = (v: number) => Math.min(PATCH.height - 1, Math.round(PATCH.y + v * EYE_TO_EYE));
