import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSafetensors } from "@omni-id/torch";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { cli } from "./command-line.ts";
import { TINY_PAPER_SET, writeTinyPaper } from "./paper-tiny.ts";
import { writePhotos } from "./pictures.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-paper-"));
const place = (...names: string[]) => join(root, ...names);
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

beforeAll(async () => {
  mkdirSync(place("models"));
  writeTinyPaper(place("models"));
  vi.stubEnv("OMNI_ID_MODELS", place("models"));
});

async function done(...args: string[]) {
  const told = await cli(...args);
  expect(told.code, told.err).toBe(0);
  return told;
}

describe("the paper preset at tiny sizes", () => {
  it("goes from training to generated pictures, and so do its exported weights", async () => {
    await done("data", "synth", "--identities", "10", "--images", "8", "--size", "96", "-o", place("data"));
    const common = ["--data", place("data"), "--cache", place("cache"), "--preset", "paper", "--log-every", "1"];
    const train = (stage: string, ...more: string[]) =>
      done("train", stage, ...common, "--out", place(stage), ...more, "--set", ...TINY_PAPER_SET);
    await train("mtd");
    await train("flow", "--encoder", place("mtd", "weights"));
    await train("control", "--flow", place("flow", "weights"));

    const all = place("weights");
    for (const stage of ["mtd", "flow", "control"]) cpSync(place(stage, "weights"), all, { recursive: true });
    // Stage two has trained the encoder along: stage one's decoder follows, as in `train all`.
    const again = ["--encoder", place("flow", "weights"), "--decoder", place("mtd", "weights")];
    const only = [...TINY_PAPER_SET, "mtd.encoderRate=0", "mtd.optimisation.steps=1"];
    await done("train", "mtd", ...common, "--out", place("decoder"), ...again, "--set", ...only);
    cpSync(place("decoder", "weights"), all, { recursive: true });

    const { out } = await done("export", "--weights", all, "-o", place("exported"), "--dtype", "bfloat16", "--json");
    const files = ["omni-id-encoder", "masked-decoder", "ip-adapter", "controlnet"].map(
      (name) => `${name}.safetensors`,
    );
    expect((JSON.parse(out) as { files: string[] }).files).toEqual(files);
    expect(
      readdirSync(place("exported"))
        .filter((name) => name.endsWith(".safetensors"))
        .sort(),
    ).toEqual(files.sort());
    const note = (file: string) => openSafetensors(place("exported", file)).metadata;
    expect(note("ip-adapter.safetensors").baseHash).toBe("FLUX.1");

    const photos = await writePhotos(root, 1, 2);
    for (const folder of [all, place("exported")]) {
      const id = place("id.safetensors");
      await done("encode", ...photos, "--weights", folder, "-o", id);
      const draw = async (name: string, ...more: string[]) => {
        const file = place(name);
        await done("generate", "--weights", folder, "-n", "1", "--steps", "2", "--seed", "3", "-o", file, ...more);
        return readFileSync(file);
      };
      // Adapter and ControlNet both tell FLUX.1 something.
      const nobody = await draw("nobody.png");
      const somebody = await draw("somebody.png", "--id", id);
      const posed = await draw("posed.png", "--id", id, "--pose", "20,0,0");
      expect(somebody.equals(nobody)).toBe(false);
      expect(posed.equals(somebody)).toBe(false);
    }
  });

  it("an adapter whose base is nowhere is an error, not a shorter export", async () => {
    const folder = place("orphan");
    cpSync(place("mtd", "weights"), folder, { recursive: true });
    // An adapter that names a base of its own, as nano's do.
    const nano = new URL("../../../weights/nano/ip-adapter.safetensors", import.meta.url);
    cpSync(nano, join(folder, "ip-adapter.safetensors"));
    const told = await cli("export", "--weights", folder, "-o", place("short"));
    expect(told.code).toBe(1);
    expect(told.err).toMatch(
      /ip-adapter\.safetensors: the flow base that it was trained on \(flux\.safetensors\) is not/,
    );
    expect(existsSync(place("short", "ip-adapter.safetensors"))).toBe(false);
  });
});
