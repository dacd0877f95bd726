import { heapBytes, manualSeed, noGrad, rand, randn, Tensor } from "@omni-id/torch";
import { describe, expect, it } from "vitest";
import { ControlNet } from "../src/adapters/controlnet.ts";
import { IpAdapter } from "../src/adapters/ip-adapter.ts";
import { SMALL, small, smallControlNet, smallFlux, smallIdentity, smallInput } from "./flux-small.ts";
import { difference } from "./golden.ts";

const gradient = (module: { parameters(): { grad: { abs(): { sum(): { item(): number } } } | null }[] }) =>
  module.parameters().map((parameter) => parameter.grad?.abs().sum().item() ?? 0);

describe("a fresh IP-Adapter", () => {
  const fresh = () => new IpAdapter({ context: 28, flux: SMALL });

  it("leaves the base model as it is, to the bit", () => {
    const flux = smallFlux();
    const tokens = small.get("ip.io.image_proj");
    noGrad(() => {
      const base = flux.forward(smallInput());
      expect(difference(flux.forward({ ...smallInput(), identity: { tokens, adapter: fresh() } }), base)).toBe(0);
    });
  });

  it("learns from the first step on, and the encoder from the second", () => {
    const flux = smallFlux().requiresGrad_(false);
    const adapter = fresh();
    const tokens = small.get("ip.io.image_proj").clone().requiresGrad_();
    const values = adapter.double_blocks.map(({ processor }) => processor.ip_adapter_double_stream_v_proj);
    const keys = adapter.double_blocks.map(({ processor }) => processor.ip_adapter_double_stream_k_proj);
    const backward = () =>
      flux
        .forward({ ...smallInput(), identity: { tokens, adapter } })
        .square()
        .mean()
        .backward();

    backward();
    expect(Math.min(...values.flatMap(gradient))).toBeGreaterThan(0);
    // A base that does not depend on the identity has no gradient for it.
    expect(tokens.grad?.abs().sum().item()).toBe(0);
    noGrad(() => {
      for (const parameter of values.flatMap((layer) => layer.parameters())) parameter.sub_(parameter.grad ?? 0);
    });
    backward();
    expect(tokens.grad?.abs().sum().item()).toBeGreaterThan(0);
    expect(Math.min(...keys.map((layer) => gradient(layer)[0]))).toBeGreaterThan(0);
    expect(flux.parameters().every(({ grad }) => grad === null)).toBe(true);
  });

  it("refuses identities and models of another size in one line", () => {
    const flux = smallFlux();
    const tokens = small.get("ip.io.image_proj");
    const run = (adapter: IpAdapter) => () => flux.forward({ ...smallInput(), identity: { tokens, adapter } });
    expect(run(new IpAdapter({ context: 30, flux: SMALL }))).toThrow(
      "IP-Adapter: identity tokens are [2, 7, 28], expected [B, L, 30]; take the adapter that was trained with this encoder",
    );
    expect(run(new IpAdapter({ context: 28, flux: { ...SMALL, doubleBlocks: 3 } }))).toThrow(
      "IP-Adapter: made for 3 double blocks of width 16 with 2 heads, this FLUX has 2 of width 16 with 2; take the adapter of this model",
    );
  });
});

describe("ControlNet", () => {
  const condition = small.get("controlnet.io.cond");

  it("computes what the reference computes, alone and with the IP-Adapter", () => {
    const flux = smallFlux();
    noGrad(() => {
      const residuals = smallControlNet().forward({ ...smallInput(), condition });
      expect(residuals).toHaveLength(2);
      for (const [i, residual] of residuals.entries()) {
        expect(difference(residual, small.get(`controlnet.io.residual.${i}`))).toBeLessThan(1e-5);
      }
      const output = flux.forward({ ...smallInput(), identity: smallIdentity(), residuals });
      expect(difference(output, small.get("controlnet.io.output"))).toBeLessThan(1e-5);
    });
  });

  it("leaves the base model as it is when it is fresh, to the bit, and learns from the first step on", () => {
    const flux = smallFlux().requiresGrad_(false);
    const controlnet = new ControlNet({ flux: SMALL });
    controlnet.initialiseFrom(flux);
    const residuals = controlnet.forward({ ...smallInput(), condition });
    const output = flux.forward({ ...smallInput(), residuals });
    expect(
      difference(
        output.detach(),
        noGrad(() => flux.forward(smallInput())),
      ),
    ).toBe(0);
    output.square().mean().backward();
    for (const layer of controlnet.controlnet_blocks) expect(Math.min(...gradient(layer))).toBeGreaterThan(0);
  });

  it("starts as the base's first double blocks", () => {
    const flux = smallFlux();
    const controlnet = new ControlNet({ flux: SMALL, blocks: 1 });
    controlnet.initialiseFrom(flux);
    const [mine, theirs] = [controlnet.stateDict(), flux.stateDict()];
    const shared = [...mine.keys()].filter((key) => theirs.has(key));
    expect(shared).toContain("double_blocks.0.txt_mlp.2.weight");
    expect(shared).not.toContain("double_blocks.1.txt_mlp.2.weight");
    for (const key of shared)
      expect(
        mine
          .get(key)
          ?.sub(theirs.get(key) ?? 0)
          .abs()
          .sum()
          .item(),
        key,
      ).toBe(0);
    expect(() => new ControlNet({ flux: { ...SMALL, width: 32, axes: [8, 4, 4] } }).initialiseFrom(flux)).toThrow(
      /img_in.weight is \[16, 64\], expected \[32, 64\]/,
    );
  });

  it("takes hints of other strides, unpacked, as the nano preset needs", () => {
    manualSeed(0);
    const controlnet = new ControlNet({ flux: SMALL, hint: { channels: 8, strides: [2, 1, 2], patch: 1 } });
    noGrad(() => {
      const [residual] = controlnet.forward({ ...smallInput(), condition: rand([2, 3, 12, 16]) });
      expect(residual.shape).toEqual([2, 12, 16]);
    });
    expect([...controlnet.stateDict().keys()].filter((key) => /^(input_hint|pos_embed).*weight/.test(key))).toEqual([
      "pos_embed_input.weight",
      "input_hint_block.0.weight",
      "input_hint_block.2.weight",
      "input_hint_block.4.weight",
    ]);
  });

  it("refuses a picture of another size in one line", () => {
    expect(() => smallControlNet().forward({ ...smallInput(), condition: randn([2, 3, 64, 64]) })).toThrow(
      "ControlNet: pictures [2, 3, 64, 64] give 2 × 16 tokens, the latents have 2 × 12; use pictures of the size that is generated",
    );
    for (const shape of [
      [2, 3, 48, 60],
      [2, 1, 48, 64],
      [3, 48, 64],
    ]) {
      expect(() => smallControlNet().forward({ ...smallInput(), condition: randn(shape) })).toThrow(
        `ControlNet: pictures are [${shape.join(", ")}], expected [B, 3, H, W] with both sides multiples of 16`,
      );
    }
  });
});

describe("checkpointed blocks", () => {
  it("give the same gradients to the model, its adapters and the identity", () => {
    const condition = small.get("controlnet.io.cond");
    const pass = (checkpointBlocks: boolean, withScale: boolean) => {
      const flux = smallFlux();
      const controlnet = smallControlNet();
      const identity = smallIdentity();
      const tokens = identity.tokens.clone().requiresGrad_();
      const scale = withScale ? identity.tokens.select(2, 0).select(1, 0).clone().requiresGrad_() : 0.7;
      const residuals = controlnet.forward({ ...smallInput(), condition, checkpointBlocks });
      flux
        .forward({ ...smallInput(), identity: { ...identity, tokens, scale }, residuals, checkpointBlocks })
        .square()
        .mean()
        .backward();
      const all = [flux, controlnet, identity.adapter as IpAdapter].flatMap((module) => module.parameters());
      return [...all, tokens, ...(scale instanceof Tensor ? [scale] : [])].map(({ grad }) => grad);
    };
    for (const withScale of [false, true]) {
      const plain = pass(false, withScale);
      // The text side of ControlNet's last block leads nowhere: the only parameters without a gradient.
      expect(plain.filter((gradient) => gradient === null)).toHaveLength(6);
      for (const [i, gradient] of pass(true, withScale).entries()) {
        const wanted = plain[i];
        // A condition that several blocks share gets its gradients in another order: the last digit may differ.
        if (gradient && wanted) expect(difference(gradient, wanted)).toBeLessThan(1e-5);
        else expect(gradient).toBe(wanted);
      }
    }
  });

  it("hold less memory, and frozen weights no gradients", () => {
    const flux = smallFlux().requiresGrad_(false);
    const input = smallInput();
    const tokens = small.get("ip.io.image_proj").clone().requiresGrad_();
    const many = (t: Tensor) => t.repeat([64, ...Array<number>(t.ndim - 1).fill(1)]);
    const batch = {
      img: many(input.img),
      imgIds: input.imgIds.select(0, 0),
      txt: many(input.txt),
      txtIds: input.txtIds.select(0, 0),
      timesteps: many(input.timesteps),
      y: many(input.y as Tensor),
      guidance: many(input.guidance as Tensor),
    };
    const kept = (checkpointBlocks: boolean) => {
      const identity = { ...smallIdentity(), tokens: many(tokens) };
      const before = heapBytes();
      const y = flux.forward({ ...batch, identity, checkpointBlocks });
      const bytes = heapBytes() - before;
      y.sum().backward();
      return bytes;
    };
    // The whole process's heap is measured, and whatever else comes and goes in it: the least of several runs tells.
    const least = (checkpointBlocks: boolean) => Math.min(...[1, 2, 3, 4].map(() => kept(checkpointBlocks)));
    kept(true);
    expect(least(true)).toBeLessThan(least(false) / 4);
    expect(flux.parameters().every(({ grad }) => grad === null)).toBe(true);
  });
});
