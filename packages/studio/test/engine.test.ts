import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { renderPictures } from "@omni-id/data";
import { loadImage, toSharp } from "@omni-id/face";
import { fromTypedArray } from "@omni-id/torch";
import { encodeIdentity, FaceGenerator, loadEncoder, toRgb } from "omni-id";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeTinyFlowWeights, writeTinyWeights } from "../../omni-id/test/tiny-weights.ts";
import { Cancelled } from "../src/engine/tasks.ts";
import { EngineThread } from "../src/engine/thread.ts";
import { parseIdentityBytes } from "../src/identity-file.ts";
import { IdentityStore } from "../src/server/identities.ts";

const fixture = (name: string) => new URL(`fixtures/${name}`, import.meta.url);
let folder: string;
let weights: string;
let engine: EngineThread;
let photos: { name: string; bytes: Uint8Array }[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "omni-id-studio-engine-"));
  weights = join(folder, "weights");
  await writeTinyWeights(weights);
  await writeTinyFlowWeights(weights);
  engine = new EngineThread({ weights });
  const { images } = await renderPictures({ seed: 77, identity: 4, images: 2, size: 160 });
  const bytes = await Promise.all(images.map(({ image }) => toSharp(image).png().toBuffer()));
  photos = bytes.map((png, i) => ({ name: `${i}.png`, bytes: new Uint8Array(png) }));
});
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

describe("the engine in its thread", () => {
  it("gives what the library gives: identity, pictures, reconstruction, attention, landmarks", async () => {
    const notes = { name: "notes.txt", bytes: new TextEncoder().encode("no picture") };
    const places: number[] = [];
    const encoded = await engine.run(
      "encode",
      { photos: [...photos, notes] },
      { onProgress: ({ done }) => places.push(done) },
    );
    expect(places).toEqual([0, 1, 2, 3]);
    expect(encoded.used.map(({ photo }) => photo)).toEqual(["0.png", "1.png"]);
    expect(encoded.refused).toMatchObject([
      { photo: "notes.txt", reason: expect.stringContaining("text, no picture") },
    ]);

    const encoder = await loadEncoder(weights);
    const byLibrary = await encodeIdentity(encoder, photos);
    const expected = Array.from(byLibrary.identity.tokens.toTypedArray() as Float32Array);
    expect(Array.from(encoded.values.values)).toEqual(expected);

    const stored = new IdentityStore().add("person", encoded.values);
    const identities = [{ id: "person", name: "person", values: stored.values, share: 1 }];
    const pose = { yaw: 20, pitch: -5 };
    const asked = { identities, pose, expression: "laugh", count: 2, seed: 3, steps: 4, preview: true };
    const previews: number[] = [];
    const drawn = await engine.run("generate", asked, {
      onProgress: ({ pictures }) => pictures && previews.push(pictures.length),
    });
    expect(previews).toEqual([2, 2, 2]);
    const generator = await FaceGenerator.load(weights, encoder);
    const { values, ...rest } = stored.values;
    const identity = { ...rest, tokens: fromTypedArray(values, rest.shape) };
    const made = generator.generate({
      identity: generator.mix([{ name: "person", identity, weight: 1 }]),
      landmarks: generator.poseLandmarks({ ...pose, expression: "laugh" }),
      count: 2,
      seed: 3,
      steps: 4,
    });
    for (const [i, picture] of drawn.pictures.entries()) {
      expect((await loadImage(picture)).data).toEqual(toRgb(made.unbind(0)[i]).data);
    }

    const reconstructed = await engine.run("reconstruct", { photo: photos[1], identities, seed: 7 });
    expect(reconstructed.made).toMatchObject([{ id: "person", l1: expect.any(Number) }]);
    const { landmarks } = await engine.run("landmarks", { photo: photos[0] });
    expect(landmarks).toHaveLength(136);
    const attention = await engine.run("attention", { photos });
    expect(attention.photos.map(({ maps }) => maps.length)).toEqual([4, 4]);
    expect(attention.photos[0].maps[0]).toHaveLength(attention.side ** 2);
  });

  it("fails with a sentence for a person, and goes on", async () => {
    const notes = [{ name: "notes.txt", bytes: new TextEncoder().encode("no picture") }];
    await expect(engine.run("encode", { photos: notes })).rejects.toThrow(/none of the 1 photos can be used/);
    await expect(engine.run("landmarks", { photo: notes[0] })).rejects.toThrow(/notes.txt: text, no picture/);
    const nobody = { identities: [], count: 1, seed: 0, steps: 1, expression: "grin" };
    await expect(engine.run("generate", nobody)).rejects.toThrow(/choose one of neutral/);
    expect((await engine.run("about", {})).canDraw).toBe(true);
  });

  it("ends between two steps when it is cancelled, and takes the next task", async () => {
    const controller = new AbortController();
    const steps: number[] = [];
    const work = engine.run(
      "generate",
      { identities: [], count: 1, seed: 0, steps: 100 },
      {
        signal: controller.signal,
        onProgress: ({ done }) => {
          steps.push(done);
          controller.abort();
        },
      },
    );
    await expect(work).rejects.toThrow(Cancelled);
    expect(steps.at(-1)).toBeLessThan(100);
    const drawn = await engine.run("generate", { identities: [], count: 1, seed: 0, steps: 1 });
    expect(drawn.pictures).toHaveLength(1);
  });

  it("a thread that does not listen is ended, one that breaks down is told of, and a new one takes over", async () => {
    const other = new EngineThread({ file: fixture("stubborn-worker.mjs"), patience: 50 });
    const controller = new AbortController();
    const work = other.run("encode", { photos: [] }, { signal: controller.signal });
    controller.abort();
    await expect(work).rejects.toThrow(Cancelled);
    expect(await other.run("about", {})).toEqual({ encoder: "cpu" });
    await expect(other.run("landmarks", { photo: photos[0] })).rejects.toThrow(/broken down; try again/);
    expect(await other.run("about", {})).toEqual({ encoder: "cpu" });
    await other.close();
  });
});

it("killed while it saves, a server leaves only whole files, and the next one reads them", async () => {
  const people = join(folder, "people");
  for (let round = 0; round < 5; round++) {
    const child = spawn(process.execPath, [fileURLToPath(fixture("save-for-ever.mjs")), people], { stdio: "pipe" });
    await once(child.stdout, "data");
    await new Promise((resolve) => setTimeout(resolve, 5 + 7 * round));
    child.kill("SIGKILL");
    await once(child, "exit");
    for (const file of readdirSync(people).filter((name) => name.endsWith(".safetensors"))) {
      expect(parseIdentityBytes(file, readFileSync(join(people, file))).values).toHaveLength(4096);
    }
  }
  const store = new IdentityStore({ folder: people });
  expect(store.list().length).toBeGreaterThan(0);
});
