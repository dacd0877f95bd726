import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { rolldown } from "rolldown";
import { beforeAll, describe, expect, it } from "vitest";

const source = (name: string) => fileURLToPath(new URL(`../../${name}.ts`, import.meta.url));

let code: string;
let modules: string[];

/** What the sources import that is none of them: a browser has none of that. */
const strange: string[] = [];

beforeAll(async () => {
  const bundle = await rolldown({
    input: source("omni-id/src/web/index"),
    platform: "browser",
    resolve: {
      alias: {
        "@omni-id/torch/plain": source("torch/src/plain"),
        "@omni-id/face/plain": source("face/src/plain"),
        "@omni-id/data/plain": source("data/src/plain"),
      },
    },
    external: (id, _, resolved) => {
      const ours = resolved ? id.startsWith("/") : id.startsWith(".") || id.startsWith("/") || id.endsWith("/plain");
      if (!ours) strange.push(id);
      return !ours;
    },
  });
  const { output } = await bundle.generate({ format: "iife", name: "web" });
  await bundle.close();
  ({ code } = output[0]);
  modules = Object.keys(output[0].modules);
});

describe("omni-id/web", () => {
  it("imports nothing of Node, and no library", () => {
    expect(strange).toEqual([]);
    expect(modules.length).toBeGreaterThan(30);
    // Neither an own file that opens files nor one on LibTorch has come along.
    expect(modules.filter((file) => /\/(index|image|session|tensor|native|addon)\.ts$/.test(file))).toEqual([
      source("omni-id/src/web/index"),
    ]);
  });

  it("runs where there is nothing but what a browser has", async () => {
    const browser = createContext({
      TextEncoder,
      TextDecoder,
      crypto,
      setTimeout,
      Blob,
      Response,
      DecompressionStream,
      AbortController,
    });
    runInContext(`${code}; globalThis.web = web;`, browser);
    const told = await runInContext(
      `(async () => {
        const manifest = {
          format: "omni-id-web/1", encoder: { name: "tiny", hash: "ab" }, imageSize: 64, identity: [2, 3], blocks: 2,
          backbone: { tokens: 51, grid: { first: 0, side: 7 }, inputSize: 112 }, carried: 3,
          drawing: { tokens: [64, 48] }, words: ["smile"], mostWords: 4,
          meanFace: Array.from({ length: 204 }, (_, i) => Math.sin(i)), hidden: {},
          files: Object.fromEntries(["detector", "landmarks", "pose", "recogniser", "encoder", "prompts", "adapter",
            "control", "flux", "latents", "decoder"].map((name) => [name, { bytes: 1 }])),
        };
        const text = JSON.stringify(manifest);
        const studio = await web.openStudio({ fetchModel: async () => new TextEncoder().encode(text), ort: {} });
        const identity = { values: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3], encoder: manifest.encoder, photos: [], created: "" };
        const back = studio.loadIdentity(studio.saveIdentity(identity));
        return JSON.stringify({
          alike: studio.compare(back, identity), unknown: studio.unknownWords("smile zeppelin"),
          points: studio.poseLandmarks({ yaw: 10, pitch: 0 }).length, bytes: studio.info.bytes,
        });
      })()`,
      browser,
    );
    const { alike, ...rest } = JSON.parse(told as string);
    expect(alike).toBeCloseTo(1, 6);
    expect(rest).toEqual({ unknown: ["zeppelin"], points: 136, bytes: 11 });
  });
});
