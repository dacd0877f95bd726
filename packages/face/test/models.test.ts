import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { assetPath, assetsStatus, FaceAnalyser, modelFile, models, recogniserModel } from "@omni-id/face";
import { afterEach, describe, expect, it, vi } from "vitest";

const empty = mkdtempSync(join(tmpdir(), "omni-id-models-"));
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(empty, { recursive: true, force: true });
});

describe("the registry", () => {
  it("says of every model what it is, what it wants, whence it comes and on what terms", () => {
    const packages = assetsStatus().map(({ name }) => name);
    for (const model of models) {
      for (const [field, value] of Object.entries(model)) expect(value, `${model.name}: ${field}`).toMatch(/\S/);
      expect(model.sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(model.source).toMatch(/^https:\/\//);
      expect(model.input).toMatch(/^\[/);
      expect(packages).toContain(model.package);
    }
    expect(new Set(models.map(({ name }) => name)).size).toBe(models.length);
  });

  it("pins every package by version and hash, and THIRD_PARTY.md names each", () => {
    const thirdParty = readFileSync(new URL("../../../THIRD_PARTY.md", import.meta.url), "utf8");
    for (const { name, version, licence, integrity } of assetsStatus()) {
      expect(version).toMatch(/^\d+\.\d+\.\d+$/);
      expect(integrity).toMatch(/^sha512-[A-Za-z0-9+/]{86}==$/);
      expect(licence).toMatch(/\S/);
      expect(thirdParty).toContain(`${name}@${version}`);
    }
  });

  it("finds every file, with the hash that was written down", () => {
    for (const model of models) expect(readFileSync(modelFile(model)).length).toBeGreaterThan(1000);
  });
});

describe("a model that is not there", () => {
  it("names the command that fetches it", async () => {
    vi.stubEnv("OMNI_ID_CACHE", empty);
    expect(assetsStatus().map(({ present }) => present)).toEqual([false, false, false]);
    expect(() => modelFile(recogniserModel)).toThrow(/fr_feature\.onnx is missing: .*omni-id models --fetch/);
    await expect(FaceAnalyser.load()).rejects.toThrow(/omni-id models --fetch/);
  });

  it("or is damaged is not used", () => {
    const good = modelFile(recogniserModel);
    vi.stubEnv("OMNI_ID_CACHE", empty);
    const place = join(empty, good.slice(good.indexOf("/assets/")));
    mkdirSync(dirname(place), { recursive: true });
    copyFileSync(good, place);
    truncateSync(place, 5000);
    expect(assetPath(recogniserModel.package, recogniserModel.file)).toBe(place);
    expect(() => modelFile(recogniserModel)).toThrow(/damaged .*delete its folder and run: .*models --fetch/);
  });
});
