import type { AnalysedFace } from "./analysed-face.ts";
import { ARCFACE_TEMPLATE } from "./crops.ts";
import { cropBox, invert, similarity, transformPoints } from "./geometry.ts";
import { fivePoints, POINTS } from "./landmarks.ts";
import type { Box, RgbImage } from "./picture-types.ts";

/** What keeps a face from telling who it is. */
export type Fault = "small" | "cut off" | "dark" | "bright" | "flat" | "blurred" | "turned away" | "hidden";

/** A face less wide than this, in pixels, shows nobody in particular. */
const LEAST_FACE = 24;
/**
 * Clarity below which the recogniser hardly sees a person, and below which it sees less than it should: measured by
 * `scripts/usable-faces.mjs`, see `docs/usable-faces.md`.
 */
const LEAST_CLARITY = 2.25;
const GOOD_CLARITY = 2.75;
/** Share of the recogniser's crop that lies outside the picture. */
const MOST_OUTSIDE = 0.45;
const SOME_OUTSIDE = 0.25;
/** A face narrower than this, in pixels, is seen less well for its size. */
const SMALL_FACE = 40;

/** Whether a face is clear enough to tell people apart by. */
export const isUsable = ({ clarity, size = LEAST_FACE }: { clarity: number; size?: number }): boolean =>
  clarity >= LEAST_CLARITY && size >= LEAST_FACE;

/**
 * What is wrong with a face: `refuse` where it tells nobody apart, `warn` where it is near that.
 * @param image the picture that the face was found in
 */
export function faultOf(
  image: RgbImage,
  face: AnalysedFace,
): { fault: Fault; severity: "refuse" | "warn" } | undefined {
  if (face.size < LEAST_FACE) return { fault: "small", severity: "refuse" };
  const outside = shareOutside(image, face.landmarks);
  if (outside > MOST_OUTSIDE || !isInside(image, face.landmarks, POINTS.mouth)) {
    return { fault: "cut off", severity: "refuse" };
  }
  if (face.clarity >= GOOD_CLARITY) {
    return outside > SOME_OUTSIDE ? { fault: "cut off", severity: "warn" } : undefined;
  }
  return { fault: causeOf(image, face, outside), severity: face.clarity < LEAST_CLARITY ? "refuse" : "warn" };
}

/** What a person is told of a fault, and what to do. */
export function describeFault(fault: Fault, { size }: Pick<AnalysedFace, "size">): string {
  switch (fault) {
    case "small":
      return `the face is only ${Math.round(size)} px wide; use a photo where it is at least 64 px wide`;
    case "cut off":
      return "the face is cut off by the edge of the picture; use a photo that shows the whole face";
    case "dark":
      return "the face is too dark; use a photo with more light on it";
    case "bright":
      return "the face is burnt out by too much light; use a photo with less light on it";
    case "flat":
      return "the face has almost no contrast; use a photo with better light";
    case "blurred":
      return "the face is blurred; use a sharp photo";
    case "turned away":
      return "the face is turned away; use a photo where it looks nearer to the camera";
    case "hidden":
      return "the face is hidden or unclear; use a photo where eyes, nose and mouth are seen well";
  }
}

/** Why a picture in which no face was found may show none. */
export function describeNoFace(image: RgbImage): string {
  const whole = { x: 0, y: 0, width: image.width, height: image.height };
  const { mean, contrast, detail } = lightOf(image, whole);
  const look = "use a photo where the face is at least 64 px wide";
  if (Math.min(image.width, image.height) < 2 * LEAST_FACE) {
    return `no face found, and the picture is only ${image.width}×${image.height} pixels; ${look}`;
  }
  if (mean < DARK) return "no face found: the picture is very dark; use a photo with more light";
  if (mean > BRIGHT) return "no face found: the picture is burnt out; use a photo with less light";
  if (contrast < FLAT) return "no face found: the picture has almost no contrast";
  if (detail < BLURRED) return "no face found: the picture is blurred, or shows little; use a sharp photo of the face";
  return `no face found; ${look} and not hidden`;
}

/** Mean brightness, 0…255. */
const DARK = 40;
const BRIGHT = 225;
/** Standard deviation of the brightness. */
const FLAT = 10;
/** Mean absolute Laplacian over the contrast, at 112 pixels. */
const BLURRED = 0.07;
/** Degrees of yaw or pitch. */
const AWAY = 50;

function causeOf(image: RgbImage, face: AnalysedFace, outside: number): Fault {
  if (outside > SOME_OUTSIDE) return "cut off";
  const { mean, contrast, detail } = lightOf(image, face.box);
  if (mean < DARK) return "dark";
  if (mean > BRIGHT) return "bright";
  if (contrast < FLAT) return "flat";
  if (face.size < SMALL_FACE) return "small";
  if (detail < BLURRED) return "blurred";
  return Math.max(Math.abs(face.pose.yaw), Math.abs(face.pose.pitch)) > AWAY ? "turned away" : "hidden";
}

const SIDE = 112;

export function lightOf(image: RgbImage, box: Box): { mean: number; contrast: number; detail: number } {
  const { data } = cropBox(image, box, SIDE, SIDE);
  const grey = Float32Array.from(
    { length: SIDE * SIDE },
    (_, i) => 0.299 * data[3 * i] + 0.587 * data[3 * i + 1] + 0.114 * data[3 * i + 2],
  );
  const mean = grey.reduce((sum, value) => sum + value, 0) / grey.length;
  const contrast = Math.sqrt(grey.reduce((sum, value) => sum + (value - mean) ** 2, 0) / grey.length);
  let laplacian = 0;
  for (let y = 1; y < SIDE - 1; y++) {
    for (let x = 1; x < SIDE - 1; x++) {
      const i = y * SIDE + x;
      laplacian += Math.abs(4 * grey[i] - grey[i - 1] - grey[i + 1] - grey[i - SIDE] - grey[i + SIDE]);
    }
  }
  return { mean, contrast, detail: laplacian / (SIDE - 2) ** 2 / Math.max(contrast, 4) };
}

/** Whether the middle of some landmarks lies in the picture. */
function isInside({ width, height }: RgbImage, landmarks: ArrayLike<number>, [from, to]: readonly [number, number]) {
  let [x, y] = [0, 0];
  for (let i = from; i < to; i++) {
    x += landmarks[2 * i] / (to - from);
    y += landmarks[2 * i + 1] / (to - from);
  }
  return x > 0 && y > 0 && x < width && y < height;
}

/** Share of the recogniser's view of a face that lies outside the picture, 0…1. */
export function shareOutside({ width, height }: RgbImage, landmarks: ArrayLike<number>): number {
  const back = invert(similarity(fivePoints(landmarks), ARCFACE_TEMPLATE));
  const places = Array.from({ length: 14 * 14 }, (_, i) => [4 + 8 * (i % 14), 4 + 8 * Math.floor(i / 14)]).flat();
  const points = transformPoints(places, back);
  let outside = 0;
  for (let i = 0; i < points.length; i += 2) {
    outside += Number(points[i] < 0 || points[i + 1] < 0 || points[i] > width || points[i + 1] > height);
  }
  return outside / (14 * 14);
}
