import { type BodyModel, meanPosition } from "../body-model.ts";
import { apply, rotateZ } from "../vector.ts";

/** Lowers the arms, which the model holds away from the body, about the shoulders: degrees, left and right. */
export function lowerArms(model: BodyModel, positions: Float32Array, degrees: readonly [number, number]): void {
  const sides = (["L", "R"] as const).map((side, k) => ({
    shoulder: meanPosition(positions, model.joints[`upperarm01.${side}____head`]),
    turn: rotateZ(k === 0 ? -degrees[0] : degrees[1]),
  }));
  const { arms } = model;
  for (let i = 0; i < arms.length / 2; i++) {
    for (const [k, { shoulder, turn }] of sides.entries()) {
      const share = arms[2 * i + k];
      if (share === 0) continue;
      const [x, y, z] = [0, 1, 2].map((c) => positions[3 * i + c] - shoulder[c]);
      const moved = apply(turn, [x, y, z]);
      for (let c = 0; c < 3; c++) {
        const before = positions[3 * i + c] - shoulder[c];
        positions[3 * i + c] += share * (moved[c] - before);
      }
    }
  }
}
