import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { run } from "../src/cli/main.ts";
import { verifyPhotos } from "../src/evaluate/verify-photos.ts";
import { type LoadedEncoder, loadEncoder } from "../src/index.ts";
import { writePhotos } from "./pictures.ts";
import { writeTinyWeights } from "./tiny-weights.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-verify-"));
afterAll(() => rmSync(root, { recursive: true }));
const album = join(root, "album");

const firstOf = (person: string) => readdirSync(join(album, person)).sort()[0];

let encoder: LoadedEncoder;
beforeAll(async () => {
  await writeTinyWeights(join(root, "weights"));
  encoder = await loadEncoder(join(root, "weights"));
  for (const [person, count] of [4, 2, 1].entries()) {
    mkdirSync(join(album, `person-${person}`), { recursive: true });
    for (const photo of await writePhotos(root, 20 + person, count)) {
      copyFileSync(photo, join(album, `person-${person}`, photo.slice(root.length + 1)));
    }
  }
  copyFileSync(join(album, "person-0", firstOf("person-0")), join(album, "person-2", "twin.jpg"));
  writeFileSync(join(album, "person-1", "broken.jpg"), "no picture");
  writeFileSync(join(album, "person-1", "notes.txt"), "no photo, and told so");
});

describe("verifyPhotos", () => {
  it("compares everybody who has several photos with all others, and says what it could not use", async () => {
    const seen: number[] = [];
    const report = await verifyPhotos(encoder, album, { onProgress: (done) => seen.push(done) });
    expect(report).toMatchObject({ people: { enrolled: 2, strangers: 1 }, photos: 7 });
    expect(report.refused).toEqual([
      { photo: join(album, "person-1", "broken.jpg"), reason: "text, no picture" },
      { photo: join(album, "person-1", "notes.txt"), reason: "text, no picture" },
      { photo: join(album, "person-2", "twin.jpg"), reason: expect.stringMatching(/^the same file as .*person-0/) },
    ]);
    expect(Object.keys(report.verification)).toEqual(["1", "3"]); // nobody has six photos
    expect(report.verification["1"].enrolled).toBe(2);
    expect(report.verification["3"].enrolled).toBe(1);
    for (const { learnt, recogniser, carried } of Object.values(report.verification)) {
      expect(carried).toBeUndefined(); // these weights carry nothing
      expect(learnt.auc).toBeGreaterThanOrEqual(0);
      expect(recogniser.auc).toBeGreaterThan(0.8); // rendered people are told apart by the recogniser
    }
    expect(report.verification["1"].recogniser.ci).toEqual([expect.any(Number), expect.any(Number)]);
    expect(report.verification["3"].recogniser.ci).toBeUndefined(); // one person has four photos
    expect(seen).toEqual([1, 2, 3]);
  });

  it("writes figures that hold nobody's paths", async () => {
    const out = join(root, "figures.json");
    const spy = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    expect(await run(["verify", album, "-o", out, "--weights", join(root, "weights")])).toBe(0);
    spy.mockRestore();
    const text = readFileSync(out, "utf8");
    expect(text).not.toContain("person-");
    expect(JSON.parse(text)).toMatchObject({ weights: encoder.name, refused: 3, commit: expect.any(String) });
  });

  it("wants people to compare", async () => {
    await expect(verifyPhotos(encoder, join(album, "person-0"))).rejects.toThrow(/one folder for each person/);
  });
});
