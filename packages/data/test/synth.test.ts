import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  drawPerson,
  drawView,
  inspectShards,
  Portrait,
  renderStats,
  ShardSet,
  SynthPool,
  shardName,
  shardStats,
  writeSyntheticShards,
} from "@omni-id/data";
import { FaceAnalyser, loadImage } from "@omni-id/face";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { atTime, mislabel } from "../src/synth/web-noise.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-synth-"));
afterAll(() => rmSync(root, { recursive: true }));
const recipe = { identities: 5, images: 2, size: 64, seed: 3, shardSize: 2 };
const whole = join(root, "whole");
const hashes = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".tar"))
    .sort()
    .map((name) => readFileSync(join(folder, name)).toString("base64"));

beforeAll(() => writeSyntheticShards({ ...recipe, out: whole, workers: 2 }));

describe("synthetic people", () => {
  test("are plain data, fixed by seed and number", () => {
    const draw = (seed: number, identity: number) => drawPerson(seed, identity);
    expect(draw(1, 7)).toEqual(draw(1, 7));
    expect(draw(1, 7)).not.toEqual(draw(1, 8));
    expect(draw(1, 7)).not.toEqual(draw(2, 7));
    expect(JSON.parse(JSON.stringify(draw(1, 7)))).toEqual(draw(1, 7));
  });

  test("the same picture whatever the number of workers, and of the others", async () => {
    const render = async (workers: number, identities: number[]) => {
      const pool = new SynthPool({ workers });
      try {
        const people = await Promise.all(
          identities.map((identity) => pool.render({ seed: 9, identity, size: 48, images: 2 })),
        );
        return people
          .at(-1)
          ?.images.map(({ image, landmarks }) => [Buffer.from(image.data).toString("base64"), [...landmarks]]);
      } finally {
        await pool.close();
      }
    };
    expect(await render(1, [4])).toEqual(await render(2, [1, 2, 4]));
  });

  test("a large picture is nearly the one with every sample shaded, and its truth is the same", async () => {
    for (const [identity, image] of [
      [3, 0], // with glasses
      [9, 1], // with much hair
      [59, 0], // with a beard
    ]) {
      const person = drawPerson(0, identity);
      const portrait = await Portrait.create(person, { size: 256 });
      const view = drawView(person, image);
      const quick = portrait.render(view, 256);
      const full = portrait.render(view, 256, { everySample: true });
      const apart = (a: Uint8Array, b: Uint8Array) => a.map((value, i) => Math.abs(value - b[i]));
      const differences = apart(quick.image.data, full.image.data);
      expect(differences.reduce((sum, d) => sum + d, 0) / differences.length).toBeLessThan(1.5);
      expect(differences.filter((d) => d > 32).length).toBeLessThan(differences.length * 0.01);
      expect(differences.some((d) => d > 0)).toBe(true);
      expect(apart(quick.mask, full.mask).filter((d) => d > 0).length).toBeLessThan(256 * 256 * 0.002);
      expect(quick.landmarks).toEqual(full.landmarks);
    }
  });

  test("the analyser agrees with the renderer's truth", async () => {
    const pool = new SynthPool({ workers: 2 });
    const faces = await FaceAnalyser.load();
    let found = 0;
    const landmarkErrors: number[] = [];
    const yaws: [number, number][] = [];
    try {
      const people = await Promise.all(
        [0, 1, 2, 3].map((identity) => pool.render({ seed: 5, identity, size: 160, images: 3 })),
      );
      for (const { images } of people) {
        for (const { image, landmarks, pose } of images) {
          const [face] = await faces.analyse(image);
          if (!face) continue;
          found++;
          yaws.push([face.pose.yaw, pose.yaw]);
          const eyes = Math.hypot(landmarks[72] - landmarks[90], landmarks[73] - landmarks[91]);
          let sum = 0;
          for (let i = 0; i < 136; i += 2)
            sum += Math.hypot(face.landmarks[i] - landmarks[i], face.landmarks[i + 1] - landmarks[i + 1]);
          landmarkErrors.push(sum / 68 / eyes);
        }
      }
    } finally {
      await pool.close();
    }
    expect(found).toBeGreaterThanOrEqual(10); // of 12; a few are turned far away
    const sorted = [...landmarkErrors].sort((a, b) => a - b);
    expect(sorted[sorted.length >> 1]).toBeLessThan(0.15);
    const meanError = yaws.reduce((sum, [a, b]) => sum + Math.abs(a - b), 0) / yaws.length;
    expect(meanError).toBeLessThan(12);
  });
});

describe("writeSyntheticShards", () => {
  test("shards hold pictures, masks and records that fit together", async () => {
    const set = await ShardSet.open(whole);
    expect(set.ids).toEqual([0, 1, 2, 3, 4].map((i) => `synth-00000${i}`));
    const person = await set.read("synth-000003");
    expect(person.attributes).toMatchObject({ sex: expect.any(String) });
    for (const [i, record] of person.images.entries()) {
      const photo = await loadImage(await person.image(i), { name: "a" });
      expect([photo.width, photo.height]).toEqual([64, 64]);
      const mask = await sharp(await person.mask(i))
        .greyscale()
        .raw()
        .toBuffer();
      const inside = (x: number, y: number) => mask[Math.floor(y) * 64 + Math.floor(x)] > 127;
      // Between the eyes and at the tip of the nose there is face.
      expect(inside(record.landmarks[60], record.landmarks[61])).toBe(true);
      expect(mask.filter((v) => v > 127).length).toBeGreaterThan(64 * 64 * 0.08);
      expect(record.caption.length).toBeGreaterThan(10);
    }
  });

  test("interrupted, it goes on and ends in the same bytes", async () => {
    const out = join(root, "interrupted");
    const stop = new AbortController();
    const first = await writeSyntheticShards({
      ...recipe,
      out,
      workers: 1,
      signal: stop.signal,
      onProgress: (done) => done >= 2 && stop.abort(),
    });
    expect(first).toBeLessThan(5);
    writeFileSync(join(out, `${shardName(1)}.999.tmp`), "half a shard of a process that was killed");
    expect(await writeSyntheticShards({ ...recipe, out, workers: 2 })).toBe(5);
    expect(hashes(out)).toEqual(hashes(whole));
  });

  test("a set can grow; other recipes are refused", async () => {
    const out = join(root, "growing");
    await writeSyntheticShards({ ...recipe, identities: 3, out, workers: 2 });
    await writeSyntheticShards({ ...recipe, out, workers: 2 });
    expect(hashes(out)).toEqual(hashes(whole));
    await expect(writeSyntheticShards({ ...recipe, seed: 4, out })).rejects.toThrow(/made with seed 3, not 4/);
    await expect(writeSyntheticShards({ ...recipe, size: 32, out })).rejects.toThrow(/made with size 64, not 32/);
    rmSync(join(out, "recipe.json"));
    await expect(writeSyntheticShards({ ...recipe, out })).rejects.toThrow(/not made here/);
  });
});

test("inspect draws every picture; stats count them", async () => {
  const set = await ShardSet.open(whole);
  const sheet = await inspectShards(set, { rows: 3, tile: 50 });
  expect([sheet.width, sheet.height]).toEqual([100, 150]);
  const person = await set.read(set.ids[1]);
  const { landmarks, width, height } = person.images[1];
  const at =
    3 * ((50 + Math.floor((landmarks[61] * 50) / height)) * 100 + 50 + Math.floor((landmarks[60] * 50) / width));
  const [red, green, blue] = sheet.data.subarray(at, at + 3); // the tip of the nose, a green dot
  expect(green - Math.max(red, blue)).toBeGreaterThan(60);
  const stats = await shardStats(set, { detect: 5 });
  expect(stats).toMatchObject({ identities: 5, images: 10, imagesPerIdentity: { 2: 5 }, size: [64, 64] });
  expect(stats.yaw.reduce((a, b) => a + b)).toBeCloseTo(1);
  expect(stats.detected.images).toBe(5);
  expect(renderStats(stats)).toMatch(/5 identities, 10 images \(5 × 2\), 64–64 px/);
});

test("views differ within a person and repeat with the seed", () => {
  const person = drawPerson(1, 2);
  const view = (image: number) => drawView(person, image);
  expect(view(0)).toEqual(view(0));
  expect(view(0)).not.toEqual(view(1));
  expect(existsSync(join(whole, "recipe.json"))).toBe(true);
});

describe("a set as those that were gathered from the web", () => {
  const web = { ...recipe, identities: 2, images: 3, noise: "web" } as const;
  const shard = async (folder: string) => {
    const set = await ShardSet.open(folder);
    return Promise.all(set.ids.map((id) => set.read(id)));
  };

  test("is the same bytes from the same seed, keeps its truth, and mixes with no other set", async () => {
    const [one, again, clean] = ["web-1", "web-2", "web-clean"].map((name) => join(root, name));
    await writeSyntheticShards({ ...web, out: one, workers: 2 });
    await writeSyntheticShards({ ...web, out: again, workers: 1 });
    expect(hashes(again)).toEqual(hashes(one));
    await expect(writeSyntheticShards({ ...recipe, identities: 2, images: 3, out: one })).rejects.toThrow(
      /made with noise web, not none/,
    );

    await writeSyntheticShards({ ...recipe, identities: 2, images: 3, out: clean, workers: 2 });
    const [worse, better] = [await shard(one), await shard(clean)];
    expect(worse.map(({ id }) => id)).toEqual(better.map(({ id }) => id));
    const detail = async (people: typeof worse) => {
      const each = await Promise.all(people.map(async (person) => sharp(await person.image(0)).stats()));
      return each.reduce((sum, { sharpness }) => sum + sharpness, 0) / each.length;
    };
    expect(await detail(worse)).toBeLessThan(0.7 * (await detail(better)));
    for (const { images } of worse) for (const { landmarks } of images) expect(landmarks).toHaveLength(136);
  });

  test("shows a person at several times, and some pictures at another's name: exchanged, none lost", () => {
    const person = drawPerson(1, 7);
    const times = [0, 1, 2].map((time) => atTime(person, time));
    expect(times).toEqual([0, 1, 2].map((time) => atTime(person, time)));
    expect(new Set(times.map(({ years }) => years)).size).toBeGreaterThan(1);
    for (const other of times) {
      expect(Math.abs(other.years - person.years)).toBeLessThanOrEqual(16);
      expect(other.shape).toEqual(person.shape);
    }
    const people = Array.from({ length: 200 }, (_, identity) => ({
      ...{ id: `${identity}`, person: { ...person, identity } },
      images: Array.from({ length: 8 }, (_, image) => `${identity}.${image}`),
    }));
    const mixed = mislabel(people as unknown as Parameters<typeof mislabel>[0], 3) as unknown as typeof people;
    expect(mixed.flatMap(({ images }) => images).sort()).toEqual(people.flatMap(({ images }) => images).sort());
    const wrong = mixed.flatMap(({ id, images }) => images.filter((image) => !image.startsWith(`${id}.`))).length;
    expect(wrong / 1600).toBeGreaterThan(0.03);
    expect(wrong / 1600).toBeLessThan(0.09);
  });
});
