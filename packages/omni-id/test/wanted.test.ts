import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type nn, onDevice, type Tensor } from "@omni-id/torch";
import { afterAll, describe, expect, it } from "vitest";
import { FLUX_AUTOENCODER, FluxAutoencoder } from "../src/backbones/autoencoder.ts";
import { CLIP_L_TEXT, ClipTextModel } from "../src/backbones/clip-text.ts";
import { Flux } from "../src/backbones/flux.ts";
import { FLUX_DEV, FLUX_SCHNELL } from "../src/backbones/flux-options.ts";
import { T5_XXL, T5Encoder } from "../src/backbones/t5.ts";
import { autoencoderDiffusersKeys } from "../src/checkpoints/autoencoder-keys.ts";
import { fluxDiffusersKeys } from "../src/checkpoints/flux-keys.ts";
import { WANTED, wantedPath, wantedStatus } from "../src/checkpoints/wanted.ts";
import { run } from "../src/cli/main.ts";

const folder = mkdtempSync(join(tmpdir(), "omni-id-wanted-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A file with the full header and full length of a checkpoint, all holes: it takes no room on the disk. */
function saveHollow(file: string, state: ReadonlyMap<string, Tensor>): void {
  const header: Record<string, unknown> = {};
  let at = 0;
  for (const [key, { shape, numel }] of state) {
    header[key] = { dtype: "BF16", shape, data_offsets: [at, at + 2 * numel] };
    at += 2 * numel;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const path = join(folder, file);
  mkdirSync(dirname(path), { recursive: true });
  const out = openSync(path, "w");
  writeSync(out, length);
  writeSync(out, json);
  ftruncateSync(out, 8 + json.length + at);
  closeSync(out);
}

const meta = (make: () => nn.Module) => onDevice("meta", make).stateDict();
const status = (part: RegExp) => wantedStatus(folder).find(({ what }) => part.test(what));

describe("the models that the paper preset wants", () => {
  it("are missing at first, each with its licence, source and place", () => {
    const all = wantedStatus(folder);
    expect(
      all.every(({ ok, path, licence, source, files }) => !ok && !path && licence && source && files.length > 0),
    ).toBe(true);
    expect(all[0].licence).toMatch(/dev.*Non-Commercial.*schnell.*Apache-2\.0/);
  });

  it("are recognised in full size, in either layout", () => {
    saveHollow(
      "flux/flux1-dev.safetensors",
      meta(() => new Flux(FLUX_DEV)),
    );
    saveHollow(
      "flux/ae.safetensors",
      meta(() => new FluxAutoencoder(FLUX_AUTOENCODER)),
    );
    saveHollow(
      "flux/text_encoder_2/model.safetensors",
      meta(() => new T5Encoder(T5_XXL)),
    );
    saveHollow(
      "flux/text_encoder/model.safetensors",
      meta(() => new ClipTextModel(CLIP_L_TEXT)),
    );
    const ok = () => wantedStatus(folder).map((model) => model.ok);
    expect(ok()).toEqual([true, true, true, false, true, false, false]);
    rmSync(join(folder, "flux/flux1-dev.safetensors"));
    rmSync(join(folder, "flux/ae.safetensors"));
    const theirs = fluxDiffusersKeys(FLUX_DEV).toTheirs(meta(() => new Flux(FLUX_SCHNELL)));
    saveHollow("flux/transformer/diffusion_pytorch_model.safetensors", theirs);
    saveHollow(
      "flux/vae/model.safetensors",
      autoencoderDiffusersKeys(FLUX_AUTOENCODER).toTheirs(meta(() => new FluxAutoencoder(FLUX_AUTOENCODER))),
    );
    expect(ok()).toEqual([true, true, true, false, true, false, false]);
  });

  it("are checked down to the missing keys", async () => {
    const state = meta(() => new Flux(FLUX_DEV));
    state.delete("double_blocks.7.img_attn.qkv.bias");
    for (const key of [...state.keys()]) if (key.startsWith("single_blocks.37.")) state.delete(key);
    saveHollow("flux/flux1-dev.safetensors", state);
    const flux = status(/^FLUX/);
    expect(flux?.misfits).toMatchObject({ wanted: 780, unknown: [], misshaped: [] });
    expect(flux?.misfits?.missing).toContain("double_blocks.7.img_attn.qkv.bias");
    expect(flux?.misfits?.missing).toHaveLength(9);

    const before = process.env.OMNI_ID_MODELS;
    process.env.OMNI_ID_MODELS = folder;
    const written: string[] = [];
    const { write } = process.stdout;
    process.stdout.write = ((text: string) => written.push(text) > 0) as typeof process.stdout.write;
    try {
      expect(await run(["models"])).toBe(0);
    } finally {
      process.stdout.write = write;
      if (before === undefined) delete process.env.OMNI_ID_MODELS;
      else process.env.OMNI_ID_MODELS = before;
    }
    const text = written.join("");
    expect(text).toMatch(/BAD {2}FLUX.1-dev or FLUX.1-schnell.*\n.*licence: dev: FLUX.1 \[dev\] Non-Commercial/);
    expect(text).toContain("missing, 9 of 780 tensors:\n         double_blocks.7.img_attn.qkv.bias");
    expect(text).toMatch(/MISS CLIP ViT-H.*\n.*MIT\n.*laion.*\n {5}as clip-h, or clip-h.safetensors/);
  });

  it("are found under any name, alone or with others in one file, by keys and shapes", () => {
    rmSync(join(folder, "flux"), { recursive: true });
    const under = (prefix: string, state: ReadonlyMap<string, Tensor>) =>
      [...state].map(([key, tensor]) => [prefix + key, tensor] as const);
    const all = new Map([
      ...under(
        "model.diffusion_model.",
        meta(() => new Flux(FLUX_SCHNELL)),
      ),
      ...under(
        "vae.",
        meta(() => new FluxAutoencoder(FLUX_AUTOENCODER)),
      ),
      ...under(
        "text_encoders.clip_l.transformer.",
        meta(() => new ClipTextModel(CLIP_L_TEXT)),
      ),
    ]);
    saveHollow("somewhere/whatever.safetensors", all);
    // A smaller one of the same family is another model.
    saveHollow(
      "small.safetensors",
      meta(() => new ClipTextModel({ ...CLIP_L_TEXT, width: 128, heads: 2 })),
    );
    const path = join(folder, "somewhere/whatever.safetensors");
    expect(wantedStatus(folder).map((model) => model.ok)).toEqual([true, true, false, false, true, false, false]);
    expect(wantedPath("the flow model", folder)).toBe(path);
    expect(wantedPath("CLIP-L's text encoder", folder)).toBe(path);
    saveHollow(
      "other.safetensors",
      meta(() => new Flux(FLUX_DEV)),
    );
    expect(() => wantedPath("the flow model", folder)).toThrow(
      /several files hold FLUX.*leave the one that is meant there, and move the others away$/,
    );
    rmSync(join(folder, "other.safetensors"));
    rmSync(join(folder, "somewhere"), { recursive: true });
  });

  it("say why a file cannot be used at all", () => {
    mkdirSync(join(folder, "flux/tokenizer"), { recursive: true });
    mkdirSync(join(folder, "flux/text_encoder"), { recursive: true });
    writeFileSync(join(folder, "flux/tokenizer/tokenizer.json"), "{");
    writeFileSync(join(folder, "flux/text_encoder/model.safetensors"), "half");
    expect(status(/^CLIP's tokenizer/)?.problem).toMatch(/no readable tokenizer/);
    expect(status(/^CLIP-L/)?.problem).toMatch(/only 4 bytes/);
    expect(WANTED.every(({ licence }) => licence.length > 0)).toBe(true);
  });
});
