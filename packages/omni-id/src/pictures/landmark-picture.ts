import { POINTS } from "@omni-id/face/plain";

/**
 * The one style in which landmarks are drawn for ControlNet: on black, a line a part of the face, each in a colour of
 * its own, an anti-aliased stroke of 1/45 of the picture's side. Eyes, lips are closed; jaw, brows and nose are not.
 */
const PARTS: { from: number; to: number; closed: boolean; colour: [number, number, number] }[] = [
  part(POINTS.jaw, false, [1, 1, 1]),
  part(POINTS.rightBrow, false, [1, 0.6, 0]),
  part(POINTS.leftBrow, false, [1, 0.6, 0]),
  part([27, 31], false, [0, 1, 0]), // bridge
  part([31, 36], false, [0, 1, 0]), // nostrils
  part(POINTS.rightEye, true, [0, 0.6, 1]),
  part(POINTS.leftEye, true, [0, 0.6, 1]),
  part([48, 60], true, [1, 0, 0]), // outer lips
  part([60, 68], true, [1, 0, 1]), // inner lips
];
const STROKE = 1 / 45;

function part([from, to]: readonly [number, number], closed: boolean, colour: [number, number, number]) {
  return { from, to, closed, colour };
}

/** Lines of a 68-point face, as pairs of points with their colours. */
function* strokes() {
  for (const { from, to, closed, colour } of PARTS) {
    for (let i = from; i + 1 < to; i++) yield { a: i, b: i + 1, colour };
    if (closed) yield { a: to - 1, b: from, colour };
  }
}

/**
 * Draws 68 landmarks: `[3, side, side]` float32 in [−1, 1].
 * @param landmarks x0, y0, … in pixels of the picture (first pixel's centre at 0.5); what lies outside is cut off
 */
export function drawLandmarks(landmarks: ArrayLike<number>, side: number): Float32Array {
  const picture = new Float32Array(3 * side * side).fill(-1);
  const half = (STROKE * side) / 2;
  for (const { a, b, colour } of strokes()) {
    const [ax, ay, bx, by] = [2 * a, 2 * a + 1, 2 * b, 2 * b + 1].map((i) => landmarks[i]);
    const [dx, dy] = [bx - ax, by - ay];
    const length2 = Math.max(dx * dx + dy * dy, 1e-9);
    const [left, right] = [clamp(Math.min(ax, bx) - half - 1, side), clamp(Math.max(ax, bx) + half + 1, side)];
    const [top, bottom] = [clamp(Math.min(ay, by) - half - 1, side), clamp(Math.max(ay, by) + half + 1, side)];
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) {
        const [px, py] = [x + 0.5 - ax, y + 0.5 - ay];
        const along = Math.min(1, Math.max(0, (px * dx + py * dy) / length2));
        const distance = Math.hypot(px - along * dx, py - along * dy);
        // One pixel of soft edge.
        const cover = Math.min(1, Math.max(0, half + 0.5 - distance));
        if (cover === 0) continue;
        for (let channel = 0; channel < 3; channel++) {
          const place = channel * side * side + y * side + x;
          picture[place] = Math.max(picture[place], 2 * cover * colour[channel] - 1);
        }
      }
    }
  }
  return picture;
}

const clamp = (value: number, side: number) => Math.min(side, Math.max(0, Math.floor(value)));
