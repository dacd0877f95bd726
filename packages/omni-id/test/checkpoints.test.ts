import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { liveTensors, manualSeed, nn, noGrad, randint, saveSafetensors, type Tensor } from "@omni-id/torch";
import { afterAll, describe, expect, it } from "vitest";
import { IpAdapter } from "../src/adapters/ip-adapter.ts";
import { FluxAutoencoder } from "../src/backbones/autoencoder.ts";
import { CLIP_L_TEXT, ClipTextModel } from "../src/backbones/clip-text.ts";
import { Flux } from "../src/backbones/flux.ts";
import { FLUX_DEV } from "../src/backbones/flux-options.ts";
import type { T5Encoder } from "../src/backbones/t5.ts";
import { autoencoderDiffusersKeys } from "../src/checkpoints/autoencoder-keys.ts";
import { loadAutoencoder, loadClipText, loadT5 } from "../src/checkpoints/encoders.ts";
import { loadControlNet, loadFlux, loadIpAdapter } from "../src/checkpoints/flux.ts";
import {
  CONTROLNET_DIFFUSERS_KEYS,
  fluxDiffusersKeys,
  IP_ADAPTER_DIFFUSERS_KEYS,
} from "../src/checkpoints/flux-keys.ts";
import { unload } from "../src/checkpoints/load.ts";
import { SMALL, small, smallControlNet, smallFlux, smallIdentity, smallInput } from "./flux-small.ts";
import { difference, golden } from "./golden.ts";

const folder = mkdtempSync(join(tmpdir(), "omni-id-checkpoints-"));
afterAll(() => rmSync(folder, { recursive: true }));

function save(name: string, state: ReadonlyMap<string, Tensor>): string {
  const path = join(folder, name);
  saveSafetensors(path, state);
  return path;
}

/** The same in `count` shards with an index, in a folder of their own. */
function saveSharded(name: string, state: ReadonlyMap<string, Tensor>, count: number): string {
  const where = join(folder, name);
  mkdirSync(where);
  const weightMap: Record<string, string> = {};
  const parts = Array.from({ length: count }, () => new Map<string, Tensor>());
  for (const [i, [key, tensor]] of [...state].entries()) {
    const part = Math.floor((i * count) / state.size);
    parts[part].set(key, tensor);
    weightMap[key] = `model-${part}.safetensors`;
  }
  for (const [i, part] of parts.entries()) saveSafetensors(join(where, `model-${i}.safetensors`), part);
  writeFileSync(join(where, "model.safetensors.index.json"), JSON.stringify({ weight_map: weightMap }));
  return where;
}

/**
 * The same weights, to the bit, and the same outputs but for the order of sums: kernels choose it by where in memory a
 * weight begins, and a mapped file begins it anywhere.
 */
function expectSame(loaded: nn.Module, wanted: nn.Module, run: (module: never) => Tensor, tolerance = 1e-6): void {
  const state = wanted.stateDict();
  const keys = [...loaded.stateDict().keys()];
  expect(new Set(keys)).toEqual(new Set(state.keys()));
  for (const [key, tensor] of loaded.stateDict()) expect(difference(tensor, state.get(key) as Tensor), key).toBe(0);
  noGrad(() => expect(difference(run(loaded as never), run(wanted as never))).toBeLessThan(tolerance));
}

const problem = (load: () => unknown): string => {
  try {
    load();
  } catch (error) {
    const { message } = error as Error;
    expect(message).not.toContain("\n");
    return message.replace(/^\S*\//, "");
  }
  throw new Error("it was accepted");
};

const axes = SMALL.axes;

describe("FLUX files", () => {
  it("load from either layout, whole or in shards, to the same model", () => {
    const flux = smallFlux();
    const theirs = fluxDiffusersKeys(SMALL).toTheirs(flux.stateDict());
    const wrapped = new Map([...flux.stateDict()].map(([key, t]) => [`model.diffusion_model.${key}`, t]));
    noGrad(() => {
      for (const path of [
        save("bfl.safetensors", flux.stateDict()),
        saveSharded("bfl", flux.stateDict(), 3),
        save("diffusers.safetensors", theirs),
        saveSharded("diffusers", theirs, 2),
        join(folder, "diffusers", "model.safetensors.index.json"),
        save("wrapped.safetensors", wrapped),
      ]) {
        const loaded = loadFlux(path, { axes });
        expect(difference(loaded.forward(smallInput()), small.get("flux.io.output")), path).toBeLessThan(1e-5);
        expect(loaded.options).toMatchObject({ ...SMALL, axes });
        expect(loaded.parameters().some(({ requiresGrad }) => requiresGrad)).toBe(false);
      }
    });
  });

  it("have FLUX.1-dev's full key list, at tiny sizes, in bfloat16 that stays bfloat16", () => {
    manualSeed(2);
    const { doubleBlocks, singleBlocks } = FLUX_DEV;
    const flux = new Flux({ ...SMALL, doubleBlocks, singleBlocks }).to({ dtype: "bfloat16" });
    expect(flux.stateDict().size).toBe(780);
    const theirs = fluxDiffusersKeys(SMALL).toTheirs(flux.stateDict());
    const paths = [save("dev.safetensors", flux.stateDict()), saveSharded("dev", theirs, 3)];
    for (const path of paths) {
      const loaded = loadFlux(path, { axes });
      expect(loaded.options).toMatchObject({ doubleBlocks, singleBlocks, guidance: true });
      expect(loaded.img_in.weight.dtype).toBe("bfloat16");
      expectSame(loaded, flux, (model: Flux) => model.forward(smallInput()), 0.02);
      expect(loadFlux(path, { axes, dtype: "float32" }).img_in.weight.dtype).toBe("float32");
    }
  });

  it("are schnell where they have no guidance", () => {
    const schnell = new Flux({ ...SMALL, guidance: false, qkvBias: false, mlpRatio: 3 });
    const state = schnell.stateDict();
    for (const path of [
      save("s1.safetensors", state),
      save("s2.safetensors", fluxDiffusersKeys({ ...SMALL, mlpRatio: 3 }).toTheirs(state)),
    ]) {
      const loaded = loadFlux(path, { axes });
      expect(loaded.options).toMatchObject({ guidance: false, qkvBias: false, mlpRatio: 3 });
      const input = { ...smallInput(), guidance: undefined };
      expectSame(loaded, schnell, (flux: Flux) => flux.forward(input));
    }
  });

  it("are refused in one line that says what to do", () => {
    const state = () => smallFlux().stateDict();
    const refused = (change: (state: Map<string, Tensor>) => void, options = {}) => {
      const changed = state();
      change(changed);
      const path = save("refused.safetensors", changed);
      return problem(() => loadFlux(path, { axes, ...options }));
    };
    expect(refused((s) => s.delete("final_layer.linear.bias"))).toBe(
      'refused.safetensors: 1 of 76 tensors are missing, the first "final_layer.linear.bias"; the file is incomplete or of another model: `omni-id models` says which is wanted',
    );
    expect(refused(() => {}, { singleBlocks: 3 })).toMatch(
      /16 of 92 tensors are missing, the first "single_blocks\.1\./,
    );
    expect(refused((s) => s.set("extra.weight", s.get("img_in.bias") as Tensor))).toBe(
      'refused.safetensors: 1 tensors have no place in this model, the first "extra.weight"; it is a checkpoint of another model: `omni-id models` says which is wanted',
    );
    expect(refused((s) => s.set("txt_in.bias", (s.get("txt_in.bias") as Tensor).narrow(0, 0, 7)))).toBe(
      'refused.safetensors: "txt_in.bias" is [7], expected [16]; it is a checkpoint of another model size: `omni-id models` says which is wanted',
    );
    const nan = (value: number) =>
      refused((s) => {
        const weight = (s.get("double_blocks.1.txt_mlp.0.weight") as Tensor).detach().clone();
        weight.at(3, 5).fill_(value);
        s.set("double_blocks.1.txt_mlp.0.weight", weight);
      });
    expect(nan(Number.NaN)).toBe(
      'refused.safetensors: "double_blocks.1.txt_mlp.0.weight" holds values that are not finite (NaN or infinity); the file is damaged: fetch it again',
    );
    expect(nan(Number.POSITIVE_INFINITY)).toMatch(/not finite/);
    expect(refused((s) => s.delete("img_in.weight"))).toMatch(/no FLUX model: neither "img_in.weight"/);
    expect(refused(() => {}, { axes: undefined })).toMatch(/its heads have 8 channels: say with `axes`/);

    const path = save("half.safetensors", state());
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.subarray(0, bytes.length / 2));
    expect(problem(() => loadFlux(path, { axes }))).toMatch(/^half.safetensors: the file is cut off/);
    const sharded = saveSharded("lost", state(), 3);
    rmSync(join(sharded, "model-1.safetensors"));
    expect(problem(() => loadFlux(sharded, { axes }))).toBe(
      "model.safetensors.index.json: the shard model-1.safetensors is not beside it; fetch it too",
    );
    expect(problem(() => loadFlux(join(folder, "nothing")))).toMatch(/no such model; `omni-id models` says what/);
    expect(problem(() => loadFlux(folder))).toMatch(/several models in it .*; name the file$/);
  });
});

describe("adapter files", () => {
  it("load in both layouts, without what is not theirs", () => {
    const flux = smallFlux();
    const adapter = smallIdentity().adapter as IpAdapter;
    const other = IP_ADAPTER_DIFFUSERS_KEYS.toTheirs(adapter.stateDict());
    const projection = new nn.Linear({ in: 3, out: 3 }).weight;
    const xlabs = new Map([...adapter.stateDict(), ["ip_adapter_proj_model.proj.weight", projection] as const]);
    const controlnet = smallControlNet();
    const condition = small.get("controlnet.io.cond");
    noGrad(() => {
      for (const path of [save("ip1.safetensors", xlabs), save("ip2.safetensors", other)]) {
        const identity = { ...smallIdentity(), adapter: loadIpAdapter(path, SMALL) };
        const output = flux.forward({ ...smallInput(), identity });
        expect(difference(output, small.get("ip.io.output"))).toBeLessThan(1e-5);
      }
      const paths = [controlnet.stateDict(), CONTROLNET_DIFFUSERS_KEYS.toTheirs(controlnet.stateDict())];
      for (const [i, state] of paths.entries()) {
        const loaded = loadControlNet(save(`control${i}.safetensors`, state), SMALL);
        const [, residual] = loaded.forward({ ...smallInput(), condition });
        expect(difference(residual, small.get("controlnet.io.residual.1"))).toBeLessThan(1e-5);
      }
    });
  });

  it("of another model size are refused in one line", () => {
    const path = save("ip.safetensors", new IpAdapter({ context: 5, flux: SMALL }).stateDict());
    expect(problem(() => loadIpAdapter(path, FLUX_DEV))).toBe(
      "ip.safetensors: an IP-Adapter for 2 double blocks of width 16, but this FLUX has 19 of width 3072; take the adapter of this model",
    );
    const control = save("control.safetensors", smallControlNet().stateDict());
    expect(problem(() => loadControlNet(control, FLUX_DEV))).toBe(
      "control.safetensors: a ControlNet for FLUX of width 16, but this one has 3072; take the ControlNet of this model",
    );
    expect(problem(() => loadIpAdapter(control, SMALL))).toMatch(/"double_blocks.0.processor.*" is missing/);
  });
});

describe("encoder files", () => {
  it("give T5, without the decoder of a whole T5", () => {
    const fixture = golden("t5-tiny");
    const weights = fixture.part("weights.");
    const stray = weights.get("shared.weight") as Tensor;
    for (const key of [
      "encoder.embed_tokens.weight",
      "decoder.block.0.layer.0.SelfAttention.q.weight",
      "lm_head.weight",
    ]) {
      weights.set(key, stray);
    }
    const t5 = loadT5(saveSharded("t5", weights, 2));
    noGrad(() => {
      expect(difference(t5.forward(fixture.get("io.input_ids")), fixture.get("io.last_hidden_state"))).toBeLessThan(
        1e-4,
      );
    });
    expect(problem(() => loadT5(join(folder, "ip1.safetensors")))).toMatch(/no T5 v1.1 encoder, or half of one/);
  });

  it("give CLIP's text encoder, without the image encoder of a whole CLIP", () => {
    manualSeed(3);
    const text = new ClipTextModel({
      ...CLIP_L_TEXT,
      width: 128,
      heads: 2,
      mlp: 32,
      layers: 2,
      vocabulary: 20,
      length: 9,
    });
    const stray = text.text_model.final_layer_norm.weight;
    const state = text.stateDict();
    for (const key of ["logit_scale", "text_model.embeddings.position_ids", "vision_model.post_layernorm.weight"]) {
      state.set(key, stray);
    }
    const loaded = loadClipText(save("clip.safetensors", state));
    const ids = randint(0, 20, [2, 9]);
    expectSame(loaded, text, (model: ClipTextModel) => model.forward(ids));
  });

  it("give the autoencoder in both layouts", () => {
    const autoencoder = new FluxAutoencoder({
      channels: 8,
      multipliers: [1, 2],
      resBlocks: 1,
      latentChannels: 4,
      groups: 4,
      scale: 0.3611,
      shift: 0.1159,
    });
    autoencoder.loadStateDict(small.part("ae.weights."));
    const other = autoencoderDiffusersKeys({ multipliers: [1, 2] }).toTheirs(autoencoder.stateDict());
    noGrad(() => {
      for (const [i, state] of [autoencoder.stateDict(), other].entries()) {
        const loaded = loadAutoencoder(save(`ae${i}.safetensors`, state), { groups: 4 });
        const mean = small.get("ae.io.moments").narrow(1, 0, 4);
        expect(difference(loaded.decode(mean), small.get("ae.io.decode"))).toBeLessThan(1e-5);
      }
    });
  });

  it("leave nothing behind when they are unloaded", () => {
    const path = join(folder, "t5");
    unload(loadT5(path));
    const before = liveTensors();
    const t5: T5Encoder = loadT5(path);
    expect(liveTensors()).toBeGreaterThan(before);
    unload(t5);
    expect(liveTensors()).toBe(before);
    expect(() => t5.forward(golden("t5-tiny").get("io.input_ids"))).toThrow();
  });
});
