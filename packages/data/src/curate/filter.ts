import type { Box, RgbImage } from "@omni-id/face/analysis";
import type { FaceSeen, Reason } from "./observation.ts";
import type { SetSettings } from "./settings.ts";

type Size = Pick<RgbImage, "width" | "height">;

/** Side of a face's aligned square over that of its detection box; it varies by a quarter, so this only sorts out the hopeless. */
const SQUARE_OVER_BOX = 2;

/** Why a detection is not worth measuring. */
export function dropDetected(
  { box }: FaceSeen,
  frame: Size,
  { minSize }: SetSettings,
  person?: Box,
): Reason | undefined {
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  if (person && (x < person.x || y < person.y || x > person.x + person.width || y > person.y + person.height)) {
    return "outside";
  }
  if (box.width * SQUARE_OVER_BOX < minSize) return "small";
  if (x < 0 || y < 0 || x > frame.width || y > frame.height) return "edge";
  return undefined;
}

/** Why a face goes no further, by all that was measured so far; what is absent was not measured yet. */
export function dropMeasured(
  { size, outside, pose, quality }: FaceSeen,
  { minSize, minQuality, maxYaw, maxPitch, maxOutside }: SetSettings,
): Reason | undefined {
  if (size !== undefined && size < minSize) return "small";
  if (outside !== undefined && outside > maxOutside) return "edge";
  if (pose && (Math.abs(pose.yaw) > maxYaw || Math.abs(pose.pitch) > maxPitch)) return "turned";
  if (quality !== undefined && quality < minQuality) return "unclear";
  return undefined;
}
