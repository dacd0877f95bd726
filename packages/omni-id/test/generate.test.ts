import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadImage, saveImage } from "@omni-id/face";
import { loadSafetensors, saveSafetensors } from "@omni-id/torch";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FLUX_FILE } from "../src/weights/flow.ts";
import { cli } from "./command-line.ts";
import { writePhotos } from "./pictures.ts";
import { writeTinyFlowWeights, writeTinyWeights } from "./tiny-weights.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-generate-"));
afterAll(() => rmSync(root, { recursive: true }));
const place = (...names: string[]) => join(root, ...names);
const weights = ["--weights", place("weights")];
const quick = [...weights, "--steps", "2"];
let photo: string;

beforeAll(async () => {
  await writeTinyWeights(place("weights"));
  await writeTinyFlowWeights(place("weights"));
  await writeTinyWeights(place("other"), 2);
  await writeTinyFlowWeights(place("other"), 2);
  [photo] = await writePhotos(root, 1, 1);
  await cli("encode", photo, "-o", place("a.safetensors"), ...weights);
  await cli("encode", ...(await writePhotos(root, 2, 2)), "-o", place("b.safetensors"), ...weights);
  await cli("encode", photo, "-o", place("strange.safetensors"), "--weights", place("other"));
});

const id = () => ["--id", place("a.safetensors")];

describe("omni-id generate", () => {
  it("draws as many pictures as asked for; the same seed draws the same ones, more of them beside the first", async () => {
    const draw = async (name: string, ...more: string[]) => {
      const file = place(name);
      const told = await cli("generate", ...id(), ...quick, "--pose", "20,0,0", "-o", file, ...more);
      expect(told.err).toBe("");
      expect(told.code).toBe(0);
      return file;
    };
    const [two, again, three, other] = [
      await draw("two.png", "-n", "2"),
      await draw("again.png", "-n", "2"),
      await draw("three.png", "-n", "3"),
      await draw("other.png", "-n", "2", "--seed", "1"),
    ];
    expect((await loadImage(two)).width).toBe(256 + 4 + 256);
    expect(readFileSync(again).equals(readFileSync(two))).toBe(true);
    expect(readFileSync(other).equals(readFileSync(two))).toBe(false);
    const pixels = async (file: string) => {
      const { width, data } = await loadImage(file);
      return [...Array(20).keys()].map((i) => data[3 * (100 * width + 10 * i)]);
    };
    expect(await pixels(three)).toEqual(await pixels(two));
  });

  it("takes pose from a photo, mixes identities, draws nobody in particular, and tells of words it does not know", async () => {
    const ask = (...more: string[]) => cli("generate", ...quick, "-n", "1", "-o", place("x.png"), "--json", ...more);
    expect((await ask(...id(), "--landmarks", photo)).code).toBe(0);
    expect((await ask(...id(), "--id", place("b.safetensors"), "--mix", "0.3", "--solver", "heun")).code).toBe(0);
    expect((await ask("--preview")).code).toBe(0);
    const { out, err } = await ask(...id(), "--prompt", "a smiling dragon");
    expect(JSON.parse(out)).toMatchObject({ count: 1, unknownWords: ["dragon"] });
    expect(err).toMatch(/does not know: dragon/);
  });

  it("refuses what it cannot draw in one line, and leaves no file", async () => {
    const out = place("never.png");
    const nobody = place("nobody.png");
    await saveImage(nobody, { width: 90, height: 90, data: new Uint8Array(90 * 90 * 3).fill(90) });
    const refusals: [string[], number, RegExp][] = [
      [["-n", "0"], 2, /at least 1/i],
      [["--pose", "left"], 2, /no yaw,pitch,roll in degrees/],
      [["--pose", "170,0,0"], 2, /no face is left/],
      [["--mix", "2"], 2, /not in 0 … 1/],
      [["--solver", "magic"], 2, /choose one of: euler, heun, dpm/],
      [["--pose", "0,0,0", "--landmarks", photo], 2, /choose one/],
      [["--landmarks", nobody], 1, /nobody\.png: no face found/],
      [["--prompt", Array.from({ length: 40 }, (_, i) => `word${i}`).join(" ")], 1, /40 words that count.*shorten/],
      [["--id", place("strange.safetensors")], 1, /made by encoder .*encode the photos again/],
    ];
    for (const [more, code, message] of refusals) {
      const told = await cli("generate", ...id(), ...quick, "-o", out, ...more);
      expect(told.err).toMatch(message);
      expect(told.code).toBe(code);
      expect(existsSync(out)).toBe(false);
    }
  });

  it("refuses weights that do not belong together, are damaged, or hold NaN", async () => {
    const ask = (folder: string) => cli("generate", "--steps", "1", "--weights", folder, "-o", place("never.png"));
    const mixed = place("mixed");
    cpSync(place("weights"), mixed, { recursive: true });
    cpSync(place("other", FLUX_FILE), join(mixed, FLUX_FILE));
    expect(await ask(mixed)).toMatchObject({ code: 1, err: expect.stringMatching(/another flow base.*one run/) });

    const half = place("half");
    cpSync(place("weights"), half, { recursive: true });
    writeFileSync(join(half, FLUX_FILE), readFileSync(place("weights", FLUX_FILE)).subarray(0, 5000));
    expect(await ask(half)).toMatchObject({ code: 1, err: expect.stringMatching(/flux\.safetensors: /) });

    const bad = place("nan");
    cpSync(place("weights"), bad, { recursive: true });
    const { tensors, metadata } = loadSafetensors(place("weights", FLUX_FILE));
    const changed = new Map(tensors);
    changed.set(
      "img_in.bias",
      (tensors.get("img_in.bias") as NonNullable<ReturnType<typeof tensors.get>>).mul(Number.NaN),
    );
    saveSafetensors(join(bad, FLUX_FILE), changed, { metadata });
    expect(await ask(bad)).toMatchObject({ code: 1, err: expect.stringMatching(/img_in\.bias.*not finite/) });

    expect(await ask(place("nowhere"))).toMatchObject({ code: 1, err: expect.stringMatching(/no such weights/) });
  });
});
