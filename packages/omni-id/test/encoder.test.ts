import { cat, manualSeed, nn, noGrad, randn, scope, type Tensor } from "@omni-id/torch";
import { describe, expect, it } from "vitest";
import type { Backbone } from "../src/backbones/backbone.ts";
import { Encoder } from "../src/encoder.ts";

/** A small stand-in: 2×2 patches of an 8 px photo, one linear layer. */
class PatchBackbone extends nn.Module implements Backbone {
  readonly width = 24;
  readonly tokens = 16;
  readonly classTokens = 4;
  readonly grid = { first: 0, side: 4 };
  readonly inputSize = 8;
  readonly crop = "aligned";
  readonly fingerprint = "patches";
  readonly project = new nn.Linear({ in: 12, out: 24 });
  maps(photos: Tensor): Tensor {
    return photos.reshape([-1, 3, 4, 2, 4, 2]).permute([0, 2, 4, 1, 3, 5]).reshape([-1, 16, 12]);
  }
  fromMaps(maps: Tensor): Tensor {
    return this.project.forward(maps);
  }
  forward(photos: Tensor): Tensor {
    return this.fromMaps(this.maps(photos));
  }
  pretrained(): Tensor[] {
    return [];
  }
}

function build() {
  manualSeed(3);
  return new Encoder({ backbone: new PatchBackbone(), queries: 6, width: 32, headWidth: 16 });
}

const largest = (x: Tensor) => scope(() => x.abs().flatten().amax([0]).item());

describe("Encoder", () => {
  it("gives L × C whatever the number of photos", () => {
    const encoder = build();
    for (const photos of [1, 2, 3, 7]) {
      expect(encoder.forward(randn([2, photos, 3, 8, 8])).shape).toEqual([2, 6, 32]);
    }
  });

  it("does not care about the order of the photos", () => {
    const encoder = build();
    const photos = randn([1, 4, 3, 8, 8]);
    const turned = cat([photos.narrow(1, 2, 2), photos.narrow(1, 0, 2)], 1);
    noGrad(() => expect(largest(encoder.forward(photos).sub(encoder.forward(turned)))).toBeLessThan(1e-5));
  });

  it("gives the same identity for a photo and for that photo twice", () => {
    const encoder = build();
    const photo = randn([1, 1, 3, 8, 8]);
    noGrad(() => {
      const twice = encoder.forward(cat([photo, photo], 1));
      expect(largest(encoder.forward(photo).sub(twice))).toBeLessThan(1e-5);
    });
  });

  it("treats the people of a batch apart", () => {
    const encoder = build();
    const photos = randn([3, 2, 3, 8, 8]);
    noGrad(() => {
      const alone = encoder.forward(photos.narrow(0, 1, 1));
      expect(largest(encoder.forward(photos).narrow(0, 1, 1).sub(alone))).toBeLessThan(1e-5);
    });
  });

  it("brings gradient to every parameter", () => {
    const encoder = build();
    encoder
      .forward(randn([2, 3, 3, 8, 8]))
      .mul(randn([2, 6, 32]))
      .sum()
      .backward();
    const without = encoder
      .namedParameters()
      .filter(([, parameter]) => !parameter.grad || largest(parameter.grad) === 0);
    expect(without.map(([key]) => key)).toEqual([]);
  });

  it("carries the mean of the photos' class tokens in its first tokens, at unit size, where it is told to", () => {
    manualSeed(3);
    const encoder = new Encoder({
      backbone: new PatchBackbone(),
      queries: 6,
      width: 32,
      headWidth: 16,
      carriedTokens: 3,
    });
    noGrad(() => {
      const photos = randn([2, 3, 3, 8, 8]);
      const l = encoder.forward(photos);
      expect(l.shape).toEqual([2, 6, 32]);
      const tokens = encoder.backbone.forward(photos.flatten(0, 1)).unflatten(0, [2, 3]);
      const mean = tokens.narrow(2, 12, 4).mean([1]).flatten(1);
      const unit = mean.div(mean.square().mean([1], { keepdim: true }).sqrt());
      expect(largest(l.narrow(1, 0, 3).flatten(1).sub(unit))).toBeLessThan(1e-5);
    });
    const wrong = () => new Encoder({ backbone: new PatchBackbone(), queries: 6, width: 32, carriedTokens: 2 });
    expect(wrong).toThrow(/2 tokens of 32 cannot carry 4 class tokens of 24/);
  });
});
