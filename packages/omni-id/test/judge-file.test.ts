import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { landmarkModel, modelFile, recogniserModel } from "@omni-id/face";
import { manualSeed, noGrad, rand, scope, tensor } from "@omni-id/torch";
import { afterAll, describe, expect, it } from "vitest";
import { ARCFACE_INPUT, loadJudgeFile } from "../src/evaluate/judge-file.ts";
import { loadJudges } from "../src/evaluate/recognisers.ts";
import { cli } from "./command-line.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-judge-"));
afterAll(() => rmSync(root, { recursive: true }));
const file = join(root, "arcface.onnx");
copyFileSync(modelFile(recogniserModel), file);

manualSeed(3);
const faces = rand([3, 3, 64, 64]).mul(2).sub(1);
const points = tensor([20, 25, 44, 25, 32, 36, 23, 47, 41, 47]).view([1, 5, 2]).repeat([3, 1, 1]);
const embed = (judge: ReturnType<typeof loadJudgeFile>, pictures = faces) =>
  noGrad(() => scope(() => judge.embed(pictures, points).tolist() as number[][]));

describe("a further judge", () => {
  const own = { name: "R100", file, input: { order: "rgb", size: 112, mean: 127, scale: 128 } } as const;

  it("gives what the same network gives as a judge of the house", () => {
    const backbone = embed(loadJudges().backbone);
    for (const [i, row] of embed(loadJudgeFile(own)).entries()) {
      for (const [k, value] of row.entries()) expect(value).toBeCloseTo(backbone[i][k], 4);
    }
    expect(loadJudgeFile(own).measure).toBe("cosine");
  });

  it("sees what its input rule says: blue first, another scale", () => {
    const bgr = embed(loadJudgeFile({ ...own, input: { ...own.input, order: "bgr" } }), faces.flip([1]));
    const [rgb] = [embed(loadJudgeFile(own))];
    for (const [k, value] of bgr[0].entries()) expect(value).toBeCloseTo(rgb[0][k], 4);
    const arcface = embed(loadJudgeFile({ ...own, input: ARCFACE_INPUT }));
    const cosine = arcface[0].reduce((sum, value, k) => sum + value * rgb[0][k], 0);
    expect(cosine).toBeGreaterThan(0.99);
    expect(arcface[0]).not.toEqual(rgb[0]);
  });

  it("is refused with a reason where it is none", () => {
    writeFileSync(join(root, "text.onnx"), "no network");
    const load = (path: string) => () => loadJudgeFile({ ...own, file: path });
    expect(load(join(root, "none.onnx"))).toThrow(/judge R100: .*no such file/);
    expect(load(join(root, "text.onnx"))).toThrow(/judge R100: .*wanted: an ONNX recogniser of \[N, 3, 112, 112\]/);
    expect(load(modelFile(landmarkModel))).toThrow(/judge R100: .*wanted: an ONNX recogniser/);
  });

  it.each([
    [["--judge", "arcface.onnx"], /Write NAME=VALUE/],
    [["--judge", `A=${file}`, "--judge-input", "A=cmyk,112,0,1"], /Write rgb or bgr/],
    [["--judge", `A=${file}`, "--judge-input", "A=rgb,112,0,0"], /Write rgb or bgr/],
  ])("%j is a wrong command line", async (args, message) => {
    expect(await cli("evaluate", ...args)).toMatchObject({ code: 2, err: expect.stringMatching(message) });
  });
});
