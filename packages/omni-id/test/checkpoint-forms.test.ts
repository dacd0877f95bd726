import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DType, noGrad, saveSafetensors, type Tensor, tensor, zeros } from "@omni-id/torch";
import { afterAll, describe, expect, it } from "vitest";
import type { IpAdapter } from "../src/adapters/ip-adapter.ts";
import { FluxAutoencoder } from "../src/backbones/autoencoder.ts";
import { autoencoderDiffusersKeys } from "../src/checkpoints/autoencoder-keys.ts";
import { loadAutoencoder, loadT5 } from "../src/checkpoints/encoders.ts";
import { loadControlNet, loadFlux, loadIpAdapter } from "../src/checkpoints/flux.ts";
import { fluxDiffusersKeys } from "../src/checkpoints/flux-keys.ts";
import { describeCheckpoint } from "../src/checkpoints/open.ts";
import { problemIn } from "./checkpoint-problem.ts";
import { SMALL, small, smallControlNet, smallFlux, smallIdentity, smallInput } from "./flux-small.ts";
import { difference, golden } from "./golden.ts";

const folder = mkdtempSync(join(tmpdir(), "omni-id-forms-"));
afterAll(() => rmSync(folder, { recursive: true }));
const { axes } = SMALL;
type State = Map<string, Tensor>;

const tinyT5 = () => golden("t5-tiny").part("weights.");
const tinyAutoencoder = () => {
  const options = { channels: 8, multipliers: [1, 2], resBlocks: 1, latentChannels: 4, groups: 4, scale: 1, shift: 0 };
  const autoencoder = new FluxAutoencoder(options);
  autoencoder.loadStateDict(small.part("ae.weights."));
  return autoencoder.stateDict();
};
const under = (prefix: string, state: State): State => new Map([...state].map(([key, t]) => [prefix + key, t]));
const renamed = (state: State, from: RegExp, to: string): State =>
  new Map([...state].map(([key, t]) => [key.replace(from, to), t]));

function save(name: string, state: State): string {
  const path = join(folder, name);
  saveSafetensors(path, state);
  return path;
}
const problem = (load: () => unknown): string => problemIn(folder, load);
const output = (path: string, dtype?: DType): Tensor =>
  noGrad(() => loadFlux(path, { axes, dtype }).forward(smallInput()));
const wanted = small.get("flux.io.output");
const expectSame = (path: string) => expect(difference(output(path), wanted), path).toBeLessThan(1e-5);

describe("a FLUX is found by its keys", () => {
  const state = smallFlux().stateDict();
  const theirs = fluxDiffusersKeys(SMALL).toTheirs(state);

  it.each([
    "_orig_mod.",
    "module.",
    "module._orig_mod.",
    "model.diffusion_model.",
    "transformer.",
    "ema.",
    "state_dict.model.",
  ])("under the wrapper %s", (prefix) => {
    expectSame(save("wrapped.safetensors", under(prefix, state)));
    expectSame(save("wrapped.safetensors", under(prefix, theirs)));
  });

  it("with torch.compile's and FSDP's names inside the keys", () => {
    expectSame(save("inside.safetensors", renamed(state, /^(double_blocks\.\d+\.)/, "$1_orig_mod.")));
    expectSame(
      save(
        "inside.safetensors",
        renamed(state, /^(single_blocks\.\d+\.)/, "_fsdp_wrapped_module.$1_fsdp_wrapped_module."),
      ),
    );
  });

  it("with norms called weight for scale", () => {
    expectSame(save("norms.safetensors", renamed(state, /(query|key)_norm\.scale$/, "$1_norm.weight")));
    expectSame(save("norms.safetensors", renamed(theirs, /(norm_(added_)?[qk])\.weight$/, "$1.scale")));
  });

  it("beside what trainers and quantisers leave in a file", () => {
    const one = (shape: number[] = []) => zeros(shape);
    const stray: State = new Map([
      ["ema.decay", one()],
      ["num_updates", tensor(7, { dtype: "int32" })],
      ["double_blocks.0.img_attn.proj.comfy_quant", tensor([123, 125], { dtype: "uint8" })],
      ["double_blocks.0.img_attn.proj.input_scale", one()],
      ["scaled_fp8", one([2])],
      ["logit_scale", one()],
      ["model_ema.double_blocks0img_attnqkvweight", one([3, 3])],
    ]);
    expectSame(save("stray.safetensors", new Map([...state, ...stray])));
    // An average over the training beside the weights themselves: the weights are meant.
    const average = new Map([...under("ema.", state)].map(([key, t]) => [key, t.mul(0)]));
    expectSame(save("average.safetensors", new Map([...state, ...average])));
    expectSame(save("average.safetensors", new Map([...under("model.", state), ...average])));
    expect(
      problem(() =>
        loadFlux(save("two.safetensors", new Map([...under("a.", state), ...under("b.", state)])), { axes }),
      ),
    ).toBe('two.safetensors: it holds 2 networks of this kind, under "a." and "b."; save one of them alone');
  });

  it("in one file with its autoencoder and text encoder, and so are these", () => {
    const all = save(
      "all.safetensors",
      new Map([
        ...under("model.diffusion_model.", state),
        ...under("text_encoders.t5xxl.transformer.", tinyT5()),
        ["text_encoders.t5xxl.logit_scale", zeros([])] as const,
        ...under("vae.", tinyAutoencoder()),
      ]),
    );
    expectSame(all);
    const t5 = golden("t5-tiny");
    noGrad(() => {
      const states = loadT5(all).forward(t5.get("io.input_ids"));
      expect(difference(states, t5.get("io.last_hidden_state"))).toBeLessThan(1e-4);
      const mean = small.get("ae.io.moments").narrow(1, 0, 4);
      const decoded = loadAutoencoder(all, { groups: 4 }).decoder.forward(mean);
      expect(difference(decoded, small.get("ae.io.decoded_from_mean"))).toBeLessThan(1e-5);
    });
    const { networks, what } = describeCheckpoint(all);
    expect(what).toBe("a FLUX.1 and an autoencoder of FLUX.1's kind and a T5");
    expect(networks.map(({ family, layout, prefix }) => [family, layout, prefix])).toEqual([
      ["flux", "ours", "model.diffusion_model."],
      ["autoencoder", "ours", "vae."],
      ["t5", "ours", "text_encoders.t5xxl.transformer."],
    ]);
  });

  it("without metadata that is null, and where weights differ in dtype", () => {
    const mixed = new Map([...state].map(([key, t]) => [key, t.ndim > 1 ? t.bfloat16() : t]));
    const flux = loadFlux(save("mixed.safetensors", mixed), { axes });
    expect(new Set([...flux.stateDict().values()].map(({ dtype }) => dtype))).toEqual(new Set(["bfloat16"]));
    noGrad(() => expect(difference(flux.forward(smallInput()).float(), wanted)).toBeLessThan(0.05));
  });
});

describe("what cannot be loaded is called by its name", () => {
  const flux = (path: string) => problem(() => loadFlux(path, { axes }));
  const part = () => zeros([4, 4]);
  const lora = (...keys: string[]) => flux(save("lora.safetensors", new Map(keys.map((key) => [key, part()]))));

  it("a LoRA, of whichever layout", () => {
    const said = (layout: string) =>
      `lora.safetensors: it is a LoRA (${layout}), no FLUX model; it changes a model and is none: merge it into its model, or give the model's own file`;
    expect(lora("lora_unet_double_blocks_0_img_attn_proj.lora_down.weight")).toBe(said("kohya's layout"));
    expect(lora("lora_te1_text_model_encoder_layers_0_mlp_fc1.alpha")).toBe(said("kohya's layout"));
    expect(lora("transformer.transformer_blocks.0.attn.to_k.lora_A.weight")).toBe(said("PEFT's layout"));
    expect(lora("base_model.model.double_blocks.0.img_attn.qkv.lora_B.default.weight")).toBe(said("PEFT's layout"));
    expect(lora("double_blocks.0.processor.qkv_lora1.down.weight")).toBe(said("XLabs' layout"));
    expect(lora("unet.down.attn1.processor.to_q_lora.up.weight")).toBe(said("diffusers' older layout"));
    expect(lora("diffusion_model.double_blocks.0.img_attn.qkv.lokr_w1")).toBe(said("LyCORIS' layout"));
    const path = join(folder, "lora.safetensors");
    expect(problem(() => loadT5(path))).toMatch(/it is a LoRA .*, no T5 v1.1 encoder/);
    expect(problem(() => loadIpAdapter(path, SMALL))).toMatch(/it is a LoRA .*, no IP-Adapter/);
    const unmerged = new Map([...smallFlux().stateDict(), ["img_in.lora_A.weight", part()] as const]);
    expect(flux(save("unmerged.safetensors", unmerged))).toMatch(/a LoRA \(PEFT's layout\) lies in it unmerged/);
  });

  it("weights that are quantised otherwise than to 8-bit floats", () => {
    const state = smallFlux().stateDict();
    const quantised = (more: State) => flux(save("small.safetensors", new Map([...state, ...more])));
    const said = (how: string) =>
      `small.safetensors: its weights are quantised to ${how}, which is not read here; take the same model as bfloat16, float16 or float8 .safetensors`;
    const integers = zeros([16, 64]).to("int8");
    expect(quantised(new Map([["img_in.weight", integers]]))).toBe(said("8-bit integers"));
    expect(
      quantised(
        new Map([
          ["img_in.SCB", part()],
          ["img_in.weight", integers],
        ]),
      ),
    ).toBe(said("8-bit integers (bitsandbytes)"));
    const nf4 = ["img_in.weight.absmax", "img_in.weight.quant_state.bitsandbytes__nf4"];
    expect(
      quantised(new Map([...nf4.map((key) => [key, part()] as const), ["img_in.weight", zeros([512, 1]).to("uint8")]])),
    ).toBe(said("4 bits (bitsandbytes NF4)"));
    expect(
      quantised(
        new Map([
          ["img_in.weight_scale_2", part()],
          ["img_in.weight", zeros([16, 32]).to("uint8")],
        ]),
      ),
    ).toBe(said("4 bits (NVFP4)"));
    const gptq = new Map(["qweight", "qzeros", "scales"].map((x) => [`double_blocks.0.img_attn.qkv.${x}`, part()]));
    expect(flux(save("gptq.safetensors", gptq))).toMatch(
      /no FLUX model that is read here: its weights are quantised to integers \(GPTQ or AWQ\)/,
    );
  });

  it("other networks", () => {
    const control = save("control.safetensors", smallControlNet().stateDict());
    expect(flux(control)).toMatch(/no FLUX model.*, but it holds a ControlNet of a FLUX/);
    const adapter = save("adapter.safetensors", (smallIdentity().adapter as IpAdapter).stateDict());
    expect(problem(() => loadControlNet(adapter, SMALL))).toMatch(/but it holds an IP-Adapter of a FLUX/);
    expect(flux(save("sd.safetensors", new Map([["model.diffusion_model.input_blocks.0.0.weight", part()]])))).toMatch(
      /it is a Stable Diffusion U-Net, no FLUX model/,
    );
    expect(flux(save("clip.safetensors", new Map([["visual.transformer.resblocks.0.ln_1.weight", part()]])))).toMatch(
      /a CLIP in OpenCLIP's layout, no FLUX model; take the file in Hugging Face's layout/,
    );
    expect(flux(save("none.safetensors", new Map([["x", part()]])))).toMatch(
      /no FLUX model, or half of one: "double_blocks.0.img_mod.lin.weight" is missing; `omni-id models` says/,
    );
  });

  it("files that are no safetensors", () => {
    const file = (name: string, content: string | Uint8Array) => {
      writeFileSync(join(folder, name), content);
      return flux(join(folder, name));
    };
    expect(file("flux.gguf", "GGUF\u0003\0\0\0")).toMatch(/^flux.gguf: it is a GGUF file, whose weights are quantised/);
    expect(file("flux1.safetensors", "GGUF\u0003\0\0\0aaaaaaaaaaaaaaa")).toMatch(/it is a GGUF file/);
    expect(file("pointer.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0")).toMatch(
      /Git LFS pointer/,
    );
    expect(file("page.safetensors", "<!DOCTYPE html><html>")).toMatch(/a web page.*accept a licence/);
    expect(file("refused.safetensors", "Access to model black-forest-labs/FLUX.1-dev is restricted")).toMatch(
      /a server's refusal/,
    );
    expect(file("flux.pt", Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0))).toMatch(
      /a PyTorch pickle .*can run any code.*safetensors/,
    );
    expect(file("flux.ckpt", Uint8Array.of(0x80, 2, 0x7d))).toMatch(/a Python pickle/);
    expect(
      file("half.safetensors", readFileSync(save("whole.safetensors", smallFlux().stateDict())).subarray(0, 5000)),
    ).toMatch(/cut off/);
  });
});

describe("a folder", () => {
  const state = smallFlux().stateDict();
  const inFolder = (name: string, files: Record<string, State | string>) => {
    mkdirSync(join(folder, name));
    for (const [file, content] of Object.entries(files)) {
      if (typeof content === "string") writeFileSync(join(folder, name, file), content);
      else saveSafetensors(join(folder, name, file), content);
    }
    return join(folder, name);
  };
  const half = new Map([...state].map(([key, t]) => [key, t.half()]));
  const lost = new Map([...state].map(([key, t]) => [key, t.mul(0)]));

  it("of variants is the most precise one, of other models that which is wanted", () => {
    const variants = inFolder("variants", { "model.fp16.safetensors": half, "model.safetensors": state });
    expectSame(variants);
    expectSame(inFolder("non-ema", { "model.safetensors": state, "model.non_ema.safetensors": lost }));
    expectSame(inFolder("pickle", { "pytorch_model.bin": "PK", "model.safetensors": state }));
    // Black Forest Labs' first files ended so.
    expectSame(inFolder("sft", { "flux1-dev.sft": state }));
    const many = inFolder("many", {
      "a.safetensors": tinyAutoencoder(),
      "b.safetensors": state,
      "c.safetensors": new Map([["lora_unet_x.lora_down.weight", zeros([1])]]),
      "d.safetensors": "damaged",
      "._b.safetensors": "of a Mac",
    });
    expectSame(many);
    const decoder = loadAutoencoder(many, { groups: 4 });
    expect(decoder.stateDict().size).toBe(tinyAutoencoder().size);
  });

  it("of shards is one model, by index, variant's index or names", () => {
    const [first, second] = [new Map([...state].slice(0, 30)), new Map([...state].slice(30))];
    const index = (one: string, two: string) =>
      JSON.stringify({ weight_map: Object.fromEntries([...state.keys()].map((key, i) => [key, i < 30 ? one : two])) });
    expectSame(inFolder("unlisted", { "m-00001-of-00002.safetensors": first, "m-00002-of-00002.safetensors": second }));
    const both = inFolder("listed", {
      "m-00001-of-00002.safetensors": first,
      "m-00002-of-00002.safetensors": second,
      "m.safetensors.index.json": index("m-00001-of-00002.safetensors", "m-00002-of-00002.safetensors"),
      "m.fp16-00001-of-00001.safetensors": half,
      "m.safetensors.index.fp16.json": index("m.fp16-00001-of-00001.safetensors", "m.fp16-00001-of-00001.safetensors"),
    });
    expectSame(both);
    expectSame(join(both, "m-00002-of-00002.safetensors"));
  });

  it("that leaves a choice says so; one without a model says what is in it", () => {
    const two = inFolder("two", { "a.safetensors": state, "b.safetensors": lost });
    expect(problem(() => loadFlux(two, { axes }))).toBe(
      "two: several models in it (a.safetensors, b.safetensors); name the file",
    );
    const bin = inFolder("bin", { "pytorch_model.bin": "PK\u0003\u0004", "pytorch_model.bin.index.json": "{}" });
    const said = problem(() => loadFlux(bin, { axes }));
    expect(said).toMatch(/^bin: no .safetensors file in it, but pytorch_model.bin, which is a PyTorch pickle/);
    expect(said).not.toContain("name the file");
    expect(problem(() => loadFlux(inFolder("empty", {}), { axes }))).toBe(
      "empty: no .safetensors file in it; `omni-id models` says which is wanted",
    );
    const none = inFolder("none", {
      "a.safetensors": tinyT5(),
      "b.safetensors": new Map([["x.lora_A.weight", zeros([1])]]),
    });
    expect(problem(() => loadFlux(none, { axes }))).toBe(
      "none: no FLUX model in it (a.safetensors: another model; b.safetensors: a LoRA (PEFT's layout)); `omni-id models` says which is wanted",
    );
  });
});

it("an autoencoder is the same with convolutions for linear layers, and with diffusers' older names", () => {
  const theirs = autoencoderDiffusersKeys({ multipliers: [1, 2] }).toTheirs(tinyAutoencoder());
  const old = renamed(theirs, /attentions\.0\.to_(q|k|v|out\.0)\./, "attentions.0.OLD$1.");
  const names = { q: "query", k: "key", v: "value", "out.0": "proj_attn" };
  const older = new Map(
    [...old].map(([key, t]) => [key.replace(/OLD(q|k|v|out\.0)/, (_, x: keyof typeof names) => names[x]), t]),
  );
  const flat = new Map(
    [...tinyAutoencoder()].map(([key, t]) => [key, key.includes("attn_1.") && t.ndim === 4 ? t.flatten(1) : t]),
  );
  for (const state of [older, flat]) {
    const loaded = loadAutoencoder(save("ae.safetensors", state), { groups: 4 }).stateDict();
    for (const [key, t] of tinyAutoencoder()) expect(difference(loaded.get(key) as Tensor, t), key).toBe(0);
  }
});
