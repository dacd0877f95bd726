import { autocast, F, Generator, manualSeed, nn, noGrad, onDevice, rand, randn, type Tensor } from "@omni-id/torch";
import { describe, expect, it } from "vitest";
import { FLUX_AUTOENCODER, FluxAutoencoder, type FluxAutoencoderOptions } from "../src/backbones/autoencoder.ts";
import { decodeInTiles, type TileOptions } from "../src/backbones/tiles.ts";
import { difference, golden } from "./golden.ts";

const fixture = golden("flux-small");
const SMALL: FluxAutoencoderOptions = {
  channels: 8,
  multipliers: [1, 2],
  resBlocks: 1,
  latentChannels: 4,
  groups: 4,
  scale: 0.3611,
  shift: 0.1159,
};

function smallAutoencoder(): FluxAutoencoder {
  const autoencoder = new FluxAutoencoder(SMALL);
  autoencoder.loadStateDict(fixture.part("ae.weights."));
  return autoencoder;
}

describe("the FLUX autoencoder", () => {
  const pictures = fixture.get("ae.io.image");

  it("computes what the reference computes", () => {
    const autoencoder = smallAutoencoder();
    noGrad(() => {
      const moments = autoencoder.moments(pictures);
      expect(difference(moments, fixture.get("ae.io.moments"))).toBeLessThan(1e-5);
      const mean = moments.narrow(1, 0, 4);
      expect(difference(autoencoder.decoder.forward(mean), fixture.get("ae.io.decoded_from_mean"))).toBeLessThan(1e-5);
      expect(difference(autoencoder.decode(mean), fixture.get("ae.io.decode"))).toBeLessThan(1e-5);
    });
  });

  it("computes the same under autocast and in bfloat16, to its digits", () => {
    noGrad(() => {
      const wanted = fixture.get("ae.io.moments");
      const mixed = autocast({}, () => smallAutoencoder().moments(pictures));
      expect(difference(mixed.float(), wanted)).toBeLessThan(0.05);
      const half = smallAutoencoder().to({ dtype: "bfloat16" }).moments(pictures.bfloat16());
      expect(difference(half.float(), wanted)).toBeLessThan(0.05);
    });
  });

  it("encodes into what decode takes back", () => {
    const autoencoder = smallAutoencoder();
    noGrad(() => {
      const latents = autoencoder.encode(pictures);
      expect(difference(autoencoder.decode(latents), fixture.get("ae.io.decoded_from_mean"))).toBeLessThan(1e-4);
      expect(latents.shape).toEqual([1, 4, 8, 8]);
    });
  });

  it("samples latents around their mean, with the deviation that it encodes", () => {
    const autoencoder = smallAutoencoder();
    noGrad(() => {
      const mean = autoencoder.encode(pictures);
      const draw = () => autoencoder.encode(pictures, { sample: true, generator: new Generator(3) });
      expect(difference(draw(), draw())).toBe(0);
      const noise = draw().sub(mean).div(0.3611);
      const deviation = autoencoder.moments(pictures).narrow(1, 4, 4).mul(0.5).exp();
      const wanted = randn([1, 4, 8, 8], { generator: new Generator(3) });
      expect(difference(noise.div(deviation), wanted)).toBeLessThan(1e-4);
    });
  });

  it("refuses sizes that its levels cannot halve", () => {
    expect(() => smallAutoencoder().encode(rand([1, 3, 16, 15]))).toThrow(
      "a picture of 15×16 pixels: both sides must be multiples of 2",
    );
  });

  it("has the 83,819,683 parameters of ae.safetensors", () => {
    const state = onDevice("meta", () => new FluxAutoencoder(FLUX_AUTOENCODER)).stateDict();
    expect([...state.values()].reduce((sum, { numel }) => sum + numel, 0)).toBe(83_819_683);
    expect(state.get("decoder.up.0.block.0.nin_shortcut.weight")?.shape).toEqual([128, 256, 1, 1]);
    expect(state.get("encoder.down.2.downsample.conv.weight")?.shape).toEqual([512, 512, 3, 3]);
    expect(state.has("encoder.down.3.downsample.conv.weight")).toBe(false);
  });
});

describe("decoding in tiles", () => {
  const latents = () => randn([2, 4, 21, 30], { generator: new Generator(5) });

  it("equals decoding the whole where the context covers the receptive field", () => {
    manualSeed(1);
    const layers = [0, 1].map((i) => new nn.Conv2d({ in: 4, out: i === 0 ? 4 : 3, kernel: 3, padding: 1 }));
    /** Sees one latent around each before it doubles, and half of one after. */
    const decode = (z: Tensor) =>
      layers[1].forward(F.interpolate(layers[0].forward(z).tanh(), { scaleFactor: 2, mode: "nearest" }));
    noGrad(() => {
      const whole = decode(latents());
      const far = (options: TileOptions) =>
        difference(decodeInTiles(decode, latents(), { factor: 2, ...options }), whole);
      expect(far({ tile: 12, context: 2, blend: 2 })).toBeLessThan(1e-6);
      expect(far({ tile: 9, context: 2, blend: 0 })).toBeLessThan(1e-6);
      expect(far({ tile: 25, context: 2, blend: 3 })).toBeLessThan(1e-6);
      expect(far({ tile: 30 })).toBe(0);
      expect(far({ tile: 12, context: 0, blend: 2 })).toBeGreaterThan(1e-3);
    });
  });

  it("stays near the whole with norms over each tile, and refuses tiles that are all overlap", () => {
    const autoencoder = smallAutoencoder();
    noGrad(() => {
      const whole = autoencoder.decode(latents());
      const tiled = autoencoder.decodeTiled(latents(), { tile: 20, context: 4, blend: 4 });
      expect(tiled.shape).toEqual([2, 3, 42, 60]);
      expect(difference(tiled, whole)).toBeLessThan(0.5);
      expect(tiled.sub(whole).square().mean().sqrt().item()).toBeLessThan(0.1 * whole.square().mean().sqrt().item());
    });
    expect(() => autoencoder.decodeTiled(latents(), { tile: 16 })).toThrow(
      "a tile of 16 latents must be larger than its overlap of 16",
    );
  });
});
