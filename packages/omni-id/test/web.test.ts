import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { renderPictures } from "@omni-id/data";
import { encodeIdentity, FaceGenerator, loadEncoder, loadIdentity, loadMaskedDecoder, MaskedTarget } from "omni-id";
import { type AnalysedPhoto, type OrtRuntime, openStudio, type Studio, type StudioOptions } from "omni-id/web";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compareIdentities } from "../src/encode.ts";
import { attentionOf } from "../src/evaluate/attention-photos.ts";
import { saveIdentity } from "../src/identity.ts";
import { writeWebModels } from "../src/onnx/write-web.ts";
import { shippedWeights } from "../src/weights/folder.ts";

const ort = await import("onnxruntime-web");
ort.env.wasm.numThreads = 1;

let folder: string;
let bytes: number;
let studio: Studio;
let photos: { name: string; image: Awaited<ReturnType<typeof rendered>>[number] }[];
let analysed: AnalysedPhoto[];

const options = (change: Partial<StudioOptions> = {}): StudioOptions => ({
  fetchModel: async (file) => new Uint8Array(readFileSync(join(folder, file))),
  ort: ort as unknown as OrtRuntime,
  ...change,
});
const rendered = async (identity: number, images: number) =>
  (await renderPictures({ seed: 77, identity, images, size: 256 })).images.map(({ image }) => image);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "omni-id-web-"));
  ({ bytes } = await writeWebModels(folder));
  studio = await openStudio(options());
  photos = (await rendered(0, 3)).map((image, i) => ({ name: `photo ${i + 1}`, image }));
  analysed = [];
  for (const photo of photos) analysed.push(await studio.analyse(photo));
});
afterAll(async () => {
  await studio?.close();
  rmSync(folder, { recursive: true });
});

const most = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i])), 0);
const numbers = (tensor: { toTypedArray(): unknown }) => tensor.toTypedArray() as Float32Array;

describe("what a browser does, on onnxruntime-web", () => {
  it("downloads less than 30 MB of models", () => {
    expect(bytes).toBeLessThan(30e6);
    expect(studio.info.bytes).toBeLessThan(30e6);
  });

  it("encodes and draws what the library does: pixels of the same seed within 1e-3", async () => {
    const encoder = await loadEncoder();
    const { identity, used } = await encodeIdentity(encoder, photos);
    const person = await studio.encode(analysed);
    expect(person.identity.encoder).toEqual(identity.encoder);
    expect(person.refused).toEqual([]);
    expect(most(person.identity.values, numbers(identity.tokens))).toBeLessThan(2e-3);
    expect(person.identity.photos.map(({ name }) => name)).toEqual(identity.photos.map(({ name }) => name));

    const generator = await FaceGenerator.load(undefined, encoder);
    const landmarks = generator.poseLandmarks({ yaw: 20, pitch: -5 });
    expect(most(studio.poseLandmarks({ yaw: 20, pitch: -5 }), landmarks)).toBeLessThan(1e-4);
    const common = { seed: 4, steps: 8, prompt: "red hair" };
    const steps: number[] = [];
    const drawn = await studio.generate({
      ...common,
      identity: person.identity,
      pose: { yaw: 20, pitch: -5 },
      n: 2,
      onStep: ({ step }) => steps.push(step),
    });
    expect(steps).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const wanted = numbers(
      generator.generate({ ...common, identity: identity.tokens, landmarks, count: 2, precision: "float32" }),
    );
    const size = 3 * 64 * 64;
    for (const [i, { values, image }] of drawn.entries()) {
      expect(image.data.length).toBe(size);
      expect(most(values, wanted.subarray(i * size, (i + 1) * size)) / 2).toBeLessThan(1e-3);
    }
    // The first pictures do not change when fewer are asked for, nor without landmarks or identity, on either side.
    for (const solver of ["euler", "heun"] as const) {
      const [nobody] = await studio.generate({ n: 1, seed: 2, steps: 3, solver });
      const other = numbers(generator.generate({ count: 1, seed: 2, steps: 3, solver, precision: "float32" }));
      expect(most(nobody.values, other) / 2).toBeLessThan(1e-3);
    }

    const decoder = await loadMaskedDecoder(shippedWeights(), encoder);
    const target = new MaskedTarget(used[1].image, used[1].face.landmarks, {
      decoder,
      imageSize: 64,
      maskRatio: encoder.preset.mtd.maskRatio,
      tokens: encoder.preset.mtd.tokens,
      seed: 3,
    });
    const made = await studio.reconstruct({ target: analysed[1], identity: person.identity, seed: 3 });
    expect(Math.abs(made.l1 - target.l1(target.reconstruct(identity.tokens)))).toBeLessThan(1e-4);

    const looked = await studio.attention(analysed);
    const report = attentionOf(encoder.bundle.encoder, used);
    expect(looked.block).toBe(report.block);
    for (const [i, photo] of looked.photos.entries()) {
      for (const [query, map] of photo.maps.entries())
        expect(most(map, report.photos[i].maps[query])).toBeLessThan(2e-3);
    }
  });

  it("writes and reads the library's identity files, mixes and compares as it does", async () => {
    const one = (await studio.encode(analysed)).identity;
    const stranger = (await rendered(5, 1)).map((image) => ({ name: "stranger", image }));
    const other = (await studio.encode([await studio.analyse(stranger[0])])).identity;
    const encoder = await loadEncoder();
    const path = join(folder, "one.safetensors");
    for (const dtype of ["float16", "float32"] as const) {
      writeFileSync(path, studio.saveIdentity(one, { dtype }));
      const read = loadIdentity(path);
      expect(most(numbers(read.tokens), one.values)).toBeLessThan(dtype === "float16" ? 5e-3 : 1e-9);
      expect({ ...read, tokens: 0 }).toEqual({
        tokens: 0,
        encoder: one.encoder,
        photos: one.photos,
        created: one.created,
        strangeness: read.strangeness,
      });
      expect(read.strangeness).toBeCloseTo(encoder.bundle.strangeness(read.tokens) as number, 2);
      const again = join(folder, "again.safetensors");
      saveIdentity(again, read, { dtype });
      expect(readFileSync(again)).toEqual(Buffer.from(studio.saveIdentity(one, { dtype })));
      expect(studio.loadIdentity(new Uint8Array(readFileSync(again))).values).toEqual(numbers(read.tokens));
    }
    const tokens = [one, other].map((identity) => {
      writeFileSync(path, studio.saveIdentity(identity, { dtype: "float32" }));
      return loadIdentity(path);
    });
    expect(studio.compare(one, other)).toBeCloseTo(compareIdentities(encoder, tokens[0], tokens[1]), 4);
    expect(studio.compare(one, one)).toBeCloseTo(1, 5);
    const mixed = studio.mix([
      { name: "one", identity: one, weight: 3 },
      { name: "other", identity: other, weight: 1 },
    ]);
    expect(
      most(
        mixed.values,
        one.values.map((value, i) => 0.75 * value + 0.25 * other.values[i]),
      ),
    ).toBeLessThan(1e-5);
  });

  it("says of a photo why it is not taken", async () => {
    const grey = { width: 200, height: 150, data: new Uint8Array(200 * 150 * 3).fill(120) };
    const empty = await studio.analyse({ name: "wall.jpg", image: grey });
    expect(empty).toMatchObject({ accepted: false, faces: [] });
    expect(empty.reason).toMatch(/no face found/);
    await expect(studio.encode([empty])).rejects.toThrow(
      /none of the 1 photos can be used:\n {2}wall.jpg: no face found/,
    );
    const some = await studio.encode([analysed[0], empty]);
    expect(some.refused).toEqual([{ photo: "wall.jpg", reason: empty.reason }]);
    expect(() => studio.photoLandmarks(empty)).toThrow(/^wall.jpg: no face found/);
    await expect(studio.analyse({ name: "half.jpg", image: { ...grey, width: 100 } })).rejects.toThrow(
      "half.jpg: 100×150 pixels of RGB are 45000 bytes, not 90000",
    );
    expect(studio.unknownWords("red zeppelin")).toEqual(["zeppelin"]);
  });

  it("stops between two steps when it is told to", async () => {
    const stop = new AbortController();
    const seen: number[] = [];
    const drawing = studio.generate({
      n: 1,
      steps: 20,
      signal: stop.signal,
      onStep: ({ step }) => {
        seen.push(step);
        if (step === 3) stop.abort();
      },
    });
    await expect(drawing).rejects.toThrow(/abort/i);
    expect(seen).toEqual([1, 2, 3]);
  });

  it("refuses an export that is none, of another version, or damaged on its way, and tries again later", async () => {
    const text = (value: unknown) =>
      new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
    const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
    const open = (value: unknown) => openStudio(options({ fetchModel: async () => text(value) }));
    await expect(open("<html>")).rejects.toThrow(/no manifest of an export/);
    await expect(open({ ...manifest, format: "omni-id-web/9" })).rejects.toThrow(/this program reads omni-id-web\/1/);
    await expect(open({ ...manifest, files: { flux: {} } })).rejects.toThrow(/no model "detector"/);

    let damaged = true;
    const flaky = await openStudio(
      options({
        fetchModel: async (file) => {
          const all = new Uint8Array(readFileSync(join(folder, file)));
          if (damaged && file.startsWith("prompts")) all[all.length >> 1] ^= 1;
          return damaged && file.startsWith("latents") ? all.subarray(0, 100) : all;
        },
      }),
    );
    await expect(flaky.warm("generate")).rejects.toThrow(/that are not those of the export.*load the page again/);
    damaged = false;
    await flaky.warm("generate");
    expect(await flaky.generate({ n: 1, steps: 1 })).toHaveLength(1);
    await flaky.close();
    // A stranger's identity means nothing to this encoder.
    const alien = { ...(await studio.encode(analysed)).identity, encoder: { name: "other", hash: "0".repeat(64) } };
    await expect(studio.generate({ identity: alien })).rejects.toThrow(/made by encoder other/);
    expect(() => studio.loadIdentity(new Uint8Array(20), "alice.safetensors")).toThrow(/^alice.safetensors: /);
  });
});
