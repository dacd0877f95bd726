import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { noGrad, onDevice, saveSafetensors, type Tensor, tensor, zeros } from "@omni-id/torch";
import { afterAll, describe, expect, it } from "vitest";
import { FLUX2_AUTOENCODER, Flux2Autoencoder } from "../src/backbones/autoencoder.ts";
import { Flux } from "../src/backbones/flux.ts";
import { FLUX2_KLEIN } from "../src/backbones/flux-options.ts";
import { QWEN3_4B, Qwen3 } from "../src/backbones/qwen3.ts";
import { autoencoderDiffusersKeys } from "../src/checkpoints/autoencoder-keys.ts";
import { loadAutoencoder, loadFlux2Autoencoder } from "../src/checkpoints/encoders.ts";
import { loadFlux } from "../src/checkpoints/flux.ts";
import { loadFlux2, loadQwen3 } from "../src/checkpoints/flux2.ts";
import { FLUX2_DIFFUSERS_KEYS } from "../src/checkpoints/flux2-keys.ts";
import { KleinPrompts } from "../src/checkpoints/klein-prompts.ts";
import { wantedPath, wantedStatus } from "../src/checkpoints/wanted.ts";
import { KLEIN_WANTED } from "../src/checkpoints/wanted-klein.ts";
import { problemIn } from "./checkpoint-problem.ts";
import { smallFlux } from "./flux-small.ts";
import { difference } from "./golden.ts";
import {
  byteTokenizer,
  TINY_FLUX2_AUTOENCODER,
  TINY_QWEN3,
  tinyFlux2Autoencoder,
  tinyKlein,
  tinyQwen3,
} from "./klein-tiny.ts";

const folder = mkdtempSync(join(tmpdir(), "omni-id-klein-files-"));
afterAll(() => rmSync(folder, { recursive: true }));
type State = Map<string, Tensor>;

function save(name: string, state: State): string {
  const path = join(folder, name);
  saveSafetensors(path, state);
  return path;
}
const under = (prefix: string, state: State): State => new Map([...state].map(([key, t]) => [prefix + key, t]));
const problem = (load: () => unknown): string => problemIn(folder, load);
function expectSame(got: ReadonlyMap<string, Tensor>, wanted: State, most = 0): void {
  expect([...got.keys()].sort()).toEqual([...wanted.keys()].sort());
  for (const [key, value] of wanted)
    expect(difference(got.get(key)?.float() as Tensor, value), key).toBeLessThanOrEqual(most);
}

interface Pattern {
  bfl: string;
  shape: number[];
  count: number;
  diffusers: string[];
  diffusers_shape: number[];
}
const lists = JSON.parse(
  readFileSync(fileURLToPath(new URL("fixtures/klein-4b-keys.json", import.meta.url)), "utf8"),
) as {
  transformer: { patterns: Pattern[]; diffusers_tensors: number };
  autoencoder: { keys: { bfl: string; shape: number[]; diffusers: string; diffusers_shape: number[] }[] };
  text_encoder: { patterns: { key: string; shape: number[]; count: number }[] };
};
const shapesOf = (state: ReadonlyMap<string, Tensor>) => [...state].map(([key, { shape }]) => `${key} ${shape}`).sort();
const numbered = (key: string, count: number) =>
  key.includes(".N.") ? Array.from({ length: count }, (_, n) => key.replace(".N.", `.${n}.`)) : [key];

describe("names of FLUX.2 [klein] 4B, every key of the full size, both ways", () => {
  it("the transformer's", () => {
    const { patterns, diffusers_tensors } = lists.transformer;
    const ours = onDevice("meta", () => new Flux(FLUX2_KLEIN)).stateDict();
    expect(shapesOf(ours)).toEqual(
      patterns.flatMap(({ bfl, shape, count }) => numbered(bfl, count).map((key) => `${key} ${shape}`)).sort(),
    );
    const theirs = FLUX2_DIFFUSERS_KEYS.toTheirs(ours);
    expect(theirs.size).toBe(diffusers_tensors);
    expect(shapesOf(theirs)).toEqual(
      patterns
        .flatMap(({ diffusers, diffusers_shape, count }) =>
          diffusers.flatMap((one) => numbered(one, count).map((key) => `${key} ${diffusers_shape}`)),
        )
        .sort(),
    );
    expect(shapesOf(FLUX2_DIFFUSERS_KEYS.toOurs(theirs, ours.keys()))).toEqual(shapesOf(ours));
  });

  it("the autoencoder's", () => {
    const { keys } = lists.autoencoder;
    const ours = onDevice("meta", () => new Flux2Autoencoder(FLUX2_AUTOENCODER)).stateDict();
    const listed = keys.filter(({ bfl }) => bfl !== "bn.num_batches_tracked");
    expect(shapesOf(ours)).toEqual(listed.map(({ bfl, shape }) => `${bfl} ${shape}`).sort());
    const table = autoencoderDiffusersKeys(FLUX2_AUTOENCODER);
    const theirs = table.toTheirs(ours);
    expect(shapesOf(theirs)).toEqual(listed.map((one) => `${one.diffusers} ${one.diffusers_shape}`).sort());
    expect(shapesOf(table.toOurs(theirs, ours.keys()))).toEqual(shapesOf(ours));
  });

  it("the text encoder's", () => {
    const ours = onDevice("meta", () => new Qwen3(QWEN3_4B, { whole: true })).stateDict();
    const listed = lists.text_encoder.patterns.flatMap(({ key, shape, count }) =>
      numbered(key, count).map((one) => `${one} ${shape}`),
    );
    expect(shapesOf(under("model.", ours))).toEqual(listed.sort());
  });

  it("bring every value back", () => {
    const state = tinyKlein();
    expectSame(FLUX2_DIFFUSERS_KEYS.toOurs(FLUX2_DIFFUSERS_KEYS.toTheirs(state), state.keys()), state);
    const pictures = tinyFlux2Autoencoder();
    const table = autoencoderDiffusersKeys(TINY_FLUX2_AUTOENCODER);
    expectSame(table.toOurs(table.toTheirs(pictures), pictures.keys()), pictures);
  });
});

describe("klein's files", () => {
  it("are read under every wrapper, in either layout", () => {
    const state = tinyKlein();
    const theirs = FLUX2_DIFFUSERS_KEYS.toTheirs(state);
    for (const prefix of ["", "model.diffusion_model.", "transformer."]) {
      for (const one of [state, theirs]) {
        expectSame(loadFlux2(save("flux2.safetensors", under(prefix, one))).stateDict(), state);
      }
    }
    const counter: State = new Map([["bn.num_batches_tracked", tensor(7, { dtype: "int64" })]]);
    const pictures = tinyFlux2Autoencoder();
    const table = autoencoderDiffusersKeys(TINY_FLUX2_AUTOENCODER);
    for (const one of [pictures, table.toTheirs(pictures)]) {
      expectSame(loadFlux2Autoencoder(save("ae.safetensors", new Map([...one, ...counter]))).stateDict(), pictures);
    }
  });

  it("an autoencoder may have a narrower decoder", () => {
    const small = new Flux2Autoencoder({ ...TINY_FLUX2_AUTOENCODER, channels: 64, decoderChannels: 32 }).stateDict();
    expectSame(loadFlux2Autoencoder(save("small.safetensors", small)).stateDict(), small);
  });

  it("fp8 with scales becomes bfloat16", () => {
    const state = tinyKlein();
    const key = "double_blocks.0.img_mlp.0.weight";
    // 1.5 in F8_E4M3 is 0x3c; times its scale of 0.25.
    const { shape, numel } = state.get(key) as Tensor;
    const path = join(folder, "fp8.safetensors");
    const bf16: State = new Map([...state].map(([name, t]) => [name, t.to("bfloat16")]));
    bf16.delete(key);
    bf16.set(key.replace(/weight$/, "weight_scale"), tensor(0.25));
    bf16.set(key.replace(/weight$/, "input_scale"), tensor(9));
    saveSafetensors(path, bf16);
    addRaw(path, key, { dtype: "F8_E4M3", shape, data: new Uint8Array(numel).fill(0x3c) });
    const loaded = loadFlux2(path).stateDict();
    expect(new Set([...loaded.values()].map(({ dtype }) => dtype))).toEqual(new Set(["bfloat16"]));
    expect(difference(loaded.get(key)?.float() as Tensor, zeros(shape).add(0.375))).toBe(0);
  });

  it("Qwen3 is read as far as it is needed, tied head and unread layers left out", () => {
    const whole = under("model.", tinyQwen3());
    const path = save("qwen.safetensors", new Map([...whole, ["lm_head.weight", zeros([264, 8])]]));
    const qwen = loadQwen3(path);
    expect(qwen.layers).toHaveLength(27);
    expect(qwen.norm).toBeUndefined();
    expect(problem(() => loadQwen3(path, { outputs: [9, 29] }))).toContain("layer 29 is asked for, the model has 28");
  });

  it("of another model are called by name", () => {
    const one = save("one.safetensors", smallFlux().stateDict());
    const two = save("two.safetensors", tinyKlein());
    expect(problem(() => loadFlux2(one))).toMatch(
      /^one.safetensors: no FLUX.2 model.*it holds a FLUX.1; `omni-id models`/,
    );
    expect(problem(() => loadFlux(two))).toMatch(
      /^two.safetensors: no FLUX model.*it holds a FLUX.2; `omni-id models`/,
    );
    const ae = save("ae2.safetensors", tinyFlux2Autoencoder());
    expect(problem(() => loadAutoencoder(ae))).toMatch(/it holds an autoencoder of FLUX.2's kind/);
    expect(problem(() => loadFlux2(ae))).toMatch(/it holds an autoencoder of FLUX.2's kind/);
  });

  it("of another size are refused, with the licence", () => {
    // Headers of the real thing at another width; only shapes count.
    const headed = (width: number) => {
      const sizes = { ...FLUX2_KLEIN, width, heads: width / 128, doubleBlocks: 1, singleBlocks: 1, contextWidth: 16 };
      const state = onDevice("meta", () => new Flux(sizes)).stateDict();
      return hollow(`flux-${width}.safetensors`, state);
    };
    expect(problem(() => loadFlux2(headed(4096)))).toMatch(
      /it is FLUX.2 \[klein\] 9B.*Non-Commercial.*take FLUX.2 \[klein\] 4B/,
    );
    expect(problem(() => loadFlux2(headed(6144)))).toMatch(/it is FLUX.2 \[dev\], which has 32 billion parameters/);
    const qwen = { ...QWEN3_4B, width: 4096, layers: 1, vocabulary: 16, outputs: [1] };
    const state = under("model.", onDevice("meta", () => new Qwen3(qwen, { whole: true })).stateDict());
    expect(problem(() => loadQwen3(hollow("qwen8.safetensors", state)))).toMatch(
      /it is a Qwen3 of width 4096; FLUX.2 \[klein\] 4B reads Qwen3-4B, whose width is 2560/,
    );
  });

  it("in 4 bits, or half a set of shards, are refused by name", () => {
    const state = new Map([...tinyKlein()]);
    const key = "single_blocks.0.linear1.weight";
    state.set(key, zeros([4, 4], { dtype: "uint8" }));
    state.set(`${key}_scale_2`, tensor(1));
    expect(problem(() => loadFlux2(save("nvfp4.safetensors", state)))).toMatch(
      /quantised to 4 bits \(NVFP4\).*take the same model/,
    );
    writeFileSync(join(folder, "klein.gguf"), Buffer.from("GGUF\u0003\0\0\0"));
    expect(problem(() => loadFlux2(join(folder, "klein.gguf")))).toMatch(/GGUF/);

    mkdirSync(join(folder, "shards"));
    const whole = [...under("model.", tinyQwen3())];
    save("shards/model-00001-of-00002.safetensors", new Map(whole.slice(0, 20)));
    expect(problem(() => loadQwen3(join(folder, "shards")))).toMatch(
      /shard 2 of 2, model-00002-of-00002.safetensors, is not beside it/,
    );
  });
});

it("the files that klein wants are recognised in full size, in either layout; Base and distilled by name alone", () => {
  const flux = onDevice("meta", () => new Flux(FLUX2_KLEIN)).stateDict();
  const pictures = onDevice("meta", () => new Flux2Autoencoder(FLUX2_AUTOENCODER)).stateDict();
  const models = join(folder, "models");
  for (const name of ["klein", "klein-base/transformer", "any"]) mkdirSync(join(models, name), { recursive: true });
  const ok = () => wantedStatus(models, KLEIN_WANTED).map((model) => model.ok);
  // Under any other name it could be either of the two.
  hollow("models/any/flux2.safetensors", flux);
  expect(ok()).toEqual([false, false, false, false, false]);
  hollow("models/klein/flux-2-klein-4b.safetensors", under("model.diffusion_model.", flux));
  hollow("models/klein-base/transformer/model.safetensors", FLUX2_DIFFUSERS_KEYS.toTheirs(flux));
  hollow("models/any/vae.safetensors", autoencoderDiffusersKeys(FLUX2_AUTOENCODER).toTheirs(pictures));
  hollow(
    "models/any/qwen.safetensors",
    under("model.", onDevice("meta", () => new Qwen3(QWEN3_4B, { whole: true })).stateDict()),
  );
  expect(ok()).toEqual([true, true, true, true, false]);
  expect(wantedPath("FLUX.2 [klein] Base 4B", models)).toMatch(/klein-base/);
  expect(wantedPath("FLUX.2 [klein] 4B, distilled", models)).toMatch(/flux-2-klein-4b/);
  expect(problem(() => wantedPath("Qwen3's tokenizer", models))).toMatch(/omni-id models says which files are wanted/);
});

describe("prompts of klein", () => {
  const files = { qwen3: "", tokenizer: join(folder, "tokenizer.json") };
  files.qwen3 = save("encoder.safetensors", under("model.", tinyQwen3()));
  writeFileSync(files.tokenizer, JSON.stringify(byteTokenizer()));

  it("are the states of three layers, padding included, each by itself", () => {
    const prompts = new KleinPrompts(files, { contextWidth: 24, length: 64 });
    noGrad(() => {
      const both = prompts.encode(["a cat", ""]);
      expect(both.txt.shape).toEqual([2, 64, 24]);
      expect(both.y).toBeUndefined();
      const again = new KleinPrompts(files, { contextWidth: 24, length: 64 }).encode([""]);
      expect(difference(again.txt, both.txt.narrow(0, 1, 1))).toBeLessThan(1e-5);
      // Longer padding does not change what stands before it.
      const longer = new KleinPrompts(files, { contextWidth: 24, length: 80 }).encode(["a cat"]);
      expect(difference(longer.txt.narrow(1, 0, 64), both.txt.narrow(0, 0, 1))).toBeLessThan(1e-5);
    });
  });

  it("too long, or for a FLUX.2 of another size, are a sentence", () => {
    const prompts = new KleinPrompts(files, { contextWidth: 24, length: 64 });
    expect(problem(() => prompts.encode(["a ".repeat(60)]))).toMatch(
      /^the prompt "a a .*…" has \d+ tokens with its frame, and FLUX.2 reads 64: leave out about \d+ tokens$/,
    );
    const other = new KleinPrompts(files, { contextWidth: 36 });
    expect(problem(() => other.encode(["a"]))).toMatch(
      /text tokens of 24 channels, and this FLUX.2 takes 36: take the Qwen3/,
    );
    expect(TINY_QWEN3.outputs).toEqual(QWEN3_4B.outputs);
  });
});

/** A header over nothing but zeros. */
function hollow(name: string, state: ReadonlyMap<string, Tensor>): string {
  const path = join(folder, name);
  const header: Record<string, unknown> = {};
  let at = 0;
  for (const [key, { shape, numel }] of state) {
    header[key] = { dtype: "BF16", shape, data_offsets: [at, at + 2 * numel] };
    at += 2 * numel;
  }
  const json = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(path, Buffer.concat([size, json]));
  truncateSync(path, 8 + json.length + at); // holes: no room on the disk
  return path;
}

/** Appends a tensor of a dtype that LibTorch may not have to a file. */
function addRaw(
  path: string,
  key: string,
  { dtype, shape, data }: { dtype: string; shape: readonly number[]; data: Uint8Array },
): void {
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<string, unknown>;
  const body = bytes.subarray(8 + length);
  header[key] = { dtype, shape, data_offsets: [body.length, body.length + data.length] };
  const json = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(path, Buffer.concat([size, json, body, data]));
}
