import { describe, expect, it } from "vitest";
import { EXPRESSIONS, expressionNamed, withExpression } from "../src/pictures/expressions.ts";
import { projectFace } from "../src/pictures/mean-face.ts";

/** Any face of 68 points of about the right proportions: eyes above the mouth. */
const FACE = Float32Array.from({ length: 204 }, (_, j) => {
  const [point, k] = [Math.floor(j / 3), j % 3];
  const y = point < 17 ? 0.5 : point < 27 ? -0.6 : point < 36 ? 0.2 : point < 48 ? -0.4 : 0.6;
  return [Math.sin(point), y, 0][k];
});
const movedBy = (name: Parameters<typeof withExpression>[1]) =>
  withExpression(FACE, name).map((value, j) => value - FACE[j]);
const size = Math.hypot(
  ...[0, 1, 2].map((k) => {
    const mean = (points: number[]) => points.reduce((sum, p) => sum + FACE[3 * p + k], 0) / points.length;
    return mean([36, 39, 42, 45]) - mean([48, 54]);
  }),
);

describe("expressions of the mean face", () => {
  it("neutral leaves it as it is, and so does naming none", () => {
    expect(withExpression(FACE, "neutral")).toEqual(FACE);
    expect(withExpression(FACE)).toEqual(FACE);
  });

  it("grow with the face: twice as large a face moves twice as far", () => {
    const large = withExpression(
      FACE.map((value) => 2 * value),
      "laugh",
    );
    const small = withExpression(FACE, "laugh");
    for (const [j, value] of large.entries()) expect(value).toBeCloseTo(2 * small[j], 5);
  });

  it("say what they are called: lips part, brows rise, lids close, corners of the mouth go up", () => {
    const down = (name: Parameters<typeof movedBy>[0], ...points: number[]) =>
      points.reduce((sum, p) => sum + movedBy(name)[3 * p + 1], 0) / points.length / size;
    for (const name of ["laugh", "surprise", "talking"] as const) {
      expect(down(name, 65, 66, 67) - down(name, 61, 62, 63), name).toBeGreaterThan(0.05);
    }
    expect(down("surprise", 18, 19, 20, 23, 24, 25)).toBeLessThan(-0.02);
    expect(down("angry", 20, 21, 22, 23)).toBeGreaterThan(0.01);
    expect(down("eyes closed", 37, 38, 43, 44) - down("eyes closed", 40, 41, 46, 47)).toBeGreaterThan(0.03);
    expect(down("smile", 48, 54)).toBeLessThan(-0.02);
    expect(down("sad", 48, 54)).toBeGreaterThan(0.005);
  });

  it("are alike on both sides: a face seen from the front does not turn", () => {
    for (const name of EXPRESSIONS) {
      const moved = projectFace(
        withExpression(
          new Float32Array(204).map((_, j) => FACE[j]),
          name,
        ),
        {
          yaw: 0,
          pitch: 0,
          roll: 0,
        },
      );
      const still = projectFace(FACE, { yaw: 0, pitch: 0, roll: 0 });
      const sideways = [36, 45, 48, 54].reduce((sum, p) => sum + moved[2 * p] - still[2 * p], 0) / 4 / size;
      expect(Math.abs(sideways), name).toBeLessThan(0.02);
    }
  });

  it("an unknown one is refused with the names there are", () => {
    expect(() => expressionNamed("grin")).toThrow(/"grin": choose one of neutral, smile, .*squint/);
  });
});
