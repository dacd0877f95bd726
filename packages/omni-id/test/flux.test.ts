import {
  autocast,
  cat,
  liveTensors,
  manualSeed,
  noGrad,
  onDevice,
  randn,
  scope,
  type Tensor,
  zeros,
} from "@omni-id/torch";
import { describe, expect, it } from "vitest";
import { Flux } from "../src/backbones/flux.ts";
import { FLUX_DEV, FLUX_SCHNELL } from "../src/backbones/flux-options.ts";
import { timestepEmbedding } from "../src/backbones/flux-trunk.ts";
import { SMALL, small, smallFlux, smallIdentity, smallInput } from "./flux-small.ts";
import { difference } from "./golden.ts";

describe("FLUX", () => {
  it("computes what the reference computes", () => {
    noGrad(() => {
      expect(difference(smallFlux().forward(smallInput()), small.get("flux.io.output"))).toBeLessThan(1e-5);
    });
  });

  it("computes the same under autocast, to bfloat16's digits, and answers in float32", () => {
    const output = noGrad(() => autocast({}, () => smallFlux().forward(smallInput())));
    expect(output.dtype).toBe("float32");
    expect(difference(output, small.get("flux.io.output"))).toBeLessThan(0.03);
  });

  it("runs in bfloat16 throughout when its weights are bfloat16", () => {
    const output = noGrad(() => smallFlux().to({ dtype: "bfloat16" }).forward(smallInput()));
    expect(output.dtype).toBe("bfloat16");
    expect(difference(output.float(), small.get("flux.io.output"))).toBeLessThan(0.05);
  });

  it("takes positions once for all images, or image by image", () => {
    const input = smallInput();
    noGrad(() => {
      const once = { ...input, imgIds: input.imgIds.select(0, 0), txtIds: input.txtIds.select(0, 0) };
      expect(difference(smallFlux().forward(once), small.get("flux.io.output"))).toBeLessThan(1e-5);
      const mixed = { ...input, txtIds: once.txtIds };
      expect(difference(smallFlux().forward(mixed), small.get("flux.io.output"))).toBeLessThan(1e-5);
    });
  });

  it("gives every parameter a gradient, and leaves no tensors behind", () => {
    const flux = smallFlux();
    const input = smallInput();
    const step = () => {
      scope(() => flux.forward(input).square().mean().backward());
      flux.zeroGrad();
    };
    scope(() => flux.forward(input).square().mean().backward());
    for (const [key, parameter] of flux.namedParameters()) {
      expect(parameter.grad?.abs().sum().item(), key).toBeGreaterThan(0);
    }
    flux.zeroGrad();
    step();
    const before = liveTensors();
    step();
    expect(liveTensors()).toBe(before);
  });

  it("adds residual i mod length after double block i", () => {
    const flux = smallFlux();
    const input = smallInput();
    manualSeed(0);
    const one = randn([2, 12, 16]);
    noGrad(() => {
      const both = flux.forward({ ...input, residuals: [one, one] });
      expect(difference(flux.forward({ ...input, residuals: [one] }), both)).toBe(0);
      const first = flux.forward({ ...input, residuals: [one, zeros([2, 12, 16])] });
      expect(difference(first, both)).toBeGreaterThan(1e-3);
    });
  });

  it("reads extra text tokens as text, and the modulation as part of the condition", () => {
    const flux = smallFlux();
    const input = smallInput();
    noGrad(() => {
      const whole = flux.forward(input);
      // The last two text tokens through `extraText`, as txt_in would have made them.
      const txt = input.txt.narrow(1, 0, 3);
      const extraText = flux.txt_in.forward(input.txt.narrow(1, 3, 2));
      const txtIds = input.txtIds.narrow(1, 0, 3);
      expect(difference(flux.forward({ ...input, txt, txtIds, extraText }), whole)).toBeLessThan(1e-5);
      // y's share of the condition through `modulation`.
      const other = randn([2, 12]);
      const { y: pooled, ...rest } = input;
      const share = (y: Tensor | undefined) => y && flux.vector_in?.forward(y);
      const modulation = share(pooled)?.sub(share(other) as Tensor);
      expect(difference(flux.forward({ ...rest, y: other, modulation }), whole)).toBeLessThan(1e-4);
    });
  });

  it("embeds time as cosines, then sines, of 1000 t", () => {
    const [row] = timestepEmbedding(cat([zeros([1]).add(0.25)])).tolist() as number[][];
    expect(row[0]).toBeCloseTo(Math.cos(250), 4);
    expect(row[128]).toBeCloseTo(Math.sin(250), 4);
    expect(row[64]).toBeCloseTo(Math.cos(250 / 100), 4);
  });

  it("says which input does not fit, with the numbers", () => {
    const flux = smallFlux();
    const input = smallInput();
    const refused = (change: Partial<typeof input>) => () => flux.forward({ ...input, ...change });
    expect(refused({ img: zeros([2, 12, 60]) })).toThrow("FLUX: img is [2, 12, 60], expected [B, N, 64]");
    expect(refused({ txt: zeros([2, 5, 21]) })).toThrow("FLUX: txt is [2, 5, 21], expected [2, T, 20]");
    expect(refused({ imgIds: zeros([11, 3]) })).toThrow("FLUX: imgIds is [11, 3], expected [12, 3]");
    expect(refused({ y: zeros([1, 12]) })).toThrow("FLUX: y is [1, 12], expected [2, 12]");
    expect(refused({ guidance: undefined })).toThrow(/distilled with guidance/);
    expect(() => new Flux({ ...SMALL, axes: [4, 4] })).not.toThrow();
    expect(() => new Flux({ ...SMALL, axes: [4, 2] })).toThrow(/must be even and add up to the 8 channels of a head/);
    expect(() => new Flux({ ...SMALL, heads: 3 })).toThrow("width 16 does not split into 3 heads");
  });
});

describe("the IP-Adapter", () => {
  it("computes what the reference computes, with one scale or one an image", () => {
    const flux = smallFlux();
    const identity = smallIdentity();
    const wanted = small.get("ip.io.output");
    noGrad(() => {
      expect(difference(flux.forward({ ...smallInput(), identity }), wanted)).toBeLessThan(1e-5);
      const scale = small.get("ip.io.scale").expand([2]);
      expect(difference(flux.forward({ ...smallInput(), identity: { ...identity, scale } }), wanted)).toBeLessThan(
        1e-5,
      );
      const off = flux.forward({ ...smallInput(), identity: { ...identity, scale: 0 } });
      expect(difference(off, small.get("flux.io.output"))).toBeLessThan(1e-5);
    });
  });
});

it("FLUX.1-dev has its 11,901,408,320 parameters, under Black Forest Labs' keys", () => {
  const count = (options: typeof FLUX_DEV) =>
    onDevice("meta", () => new Flux(options))
      .parameters()
      .reduce((sum, { numel }) => sum + numel, 0);
  const flux = onDevice("meta", () => new Flux(FLUX_DEV));
  const shape = (key: string) => flux.stateDict().get(key)?.shape;
  expect(count(FLUX_DEV)).toBe(11_901_408_320);
  expect(count(FLUX_SCHNELL)).toBe(11_901_408_320 - 3072 * (256 + 1 + 3072 + 1));
  expect(shape("double_blocks.18.img_mod.lin.weight")).toEqual([18432, 3072]);
  expect(shape("double_blocks.0.txt_attn.norm.key_norm.scale")).toEqual([128]);
  expect(shape("double_blocks.0.txt_mlp.2.weight")).toEqual([3072, 12288]);
  expect(shape("single_blocks.37.linear1.weight")).toEqual([21504, 3072]);
  expect(shape("single_blocks.37.linear2.weight")).toEqual([3072, 15360]);
  expect(shape("final_layer.adaLN_modulation.1.weight")).toEqual([6144, 3072]);
});
