import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Film, findFfmpeg, shootFilms } from "@omni-id/data";
import { loadImage } from "@omni-id/face";
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

  it("draws people in scenes with FLUX.1-dev, which is told its guidance", async () => {
    const set = ["--identities", "5", "--images", "1", "--size", "64", "--workers", "2"];
    await done("data", "synth", "--scenes", "1", ...set, "-o", place("scenes"));
    const common = ["--preset", "paper", "--data", place("scenes"), "--cache", place("cache"), "--log-every", "1"];
    const only = [...TINY_PAPER_SET, "flow.adapter.inputs=[1]", "flow.adapter.targets=1", "flow.adapter.captions=1"];
    const from = ["--encoder", place("mtd", "weights"), "--out", place("personalise")];
    await done("train", "personalise", ...common, ...from, "--set", ...only);
    const weights = place("personalise", "weights");
    const id = place("scene-id.safetensors");
    await done("encode", ...(await writePhotos(root, 1, 1)), "--weights", weights, "-o", id);
    const draw = async (name: string, ...more: string[]) => {
      const prompt = ["--prompt", "a person on a beach", "-n", "1", "--steps", "2", "--seed", "3"];
      await done("generate", "--scene", "--weights", weights, ...prompt, "-o", place(name), ...more);
      return readFileSync(place(name));
    };
    const usual = await draw("scene.png", "--id", id);
    expect((await draw("same.png", "--id", id, "--embedded-guidance", "3.5")).equals(usual)).toBe(true);
    for (const more of [
      ["--embedded-guidance", "1.5"],
      ["--identity-start", "0.5"],
      ["--text-guidance", "2"],
    ]) {
      expect((await draw("other.png", "--id", id, ...more)).equals(usual)).toBe(false);
    }
  });

  it("goes from videos to generated pictures, streamed, by two processes", async () => {
    const actor = (identity: number) => ({ seed: 21, identity, look: 0, motion: "turns" as const });
    const film = (name: string, ...identities: number[]): Film => ({
      ...{ name, height: 160, fps: 8, crf: 20 },
      shots: [{ seconds: 2.2, actors: identities.map(actor) }],
    });
    const films = [film("alone", 0), film("pair", 3, 4), film("zebra", 5)];
    await shootFilms(films, { out: place("videos"), workers: 2, ffmpeg: findFfmpeg().ffmpeg });
    const recipe = ["fps=8", "minSize=72", "size=96", "minQuality=0.02", "clusters=10"];
    await done("data", "curate", place("videos"), "-o", place("mfhq"), "--workers", "2", "--set", ...recipe);
    const cut = ["--people-per-shard", "2", "--set", ...TINY_PAPER_SET];
    const prepared = await done("data", "prepare", place("mfhq"), "-o", place("prepared"), "--json", ...cut);
    expect(JSON.parse(prepared.out)).toMatchObject({ people: 4, shards: 2, sizes: [28, 64] });

    const train = async (stage: string, ...more: string[]) => {
      const common = ["--preset", "paper", "--data", place("prepared"), "--cache", place("cache"), "--log-every", "1"];
      const out = ["--out", place("two", stage), "--processes", "2", "--threads", "2"];
      const { err } = await done("train", stage, ...common, ...out, ...more, "--set", ...TINY_PAPER_SET);
      expect(err).toMatch(/2 processes/);
      expect(err).toMatch(/4 people to train on, 0 for validation, 0 held out/);
    };
    await train("mtd");
    await train("flow", "--encoder", place("two", "mtd", "weights"));
    await train("control", "--flow", place("two", "flow", "weights"));
    const all = place("two", "weights");
    for (const stage of ["flow", "control"]) cpSync(place("two", stage, "weights"), all, { recursive: true });
    const id = place("two.safetensors");
    await done("encode", ...(await writePhotos(root, 2, 2)), "--weights", all, "-o", id);
    const posed = ["--id", id, "--pose", "20,0,0", "-n", "2", "--steps", "2", "-o", place("two.png")];
    await done("generate", "--weights", all, ...posed);
    expect((await loadImage(place("two.png"))).width).toBe(256 + 4 + 256);
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
