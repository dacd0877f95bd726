import { eye, manualSeed, randn, scope, type Tensor } from "@omni-id/torch";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../torch/test/close.ts";
import { LinearAutoencoder } from "../src/backbones/linear-autoencoder.ts";

/** Pictures whose 4×4 patches vary along five directions only, and a little in all others. */
function pictures(count: number): Tensor {
  manualSeed(3);
  const directions = randn([5, 48]);
  const patches = randn([count * 16, 5])
    .matmul(directions)
    .add(randn([count * 16, 48]).mul(0.01))
    .add(0.2);
  return patches.view([count, 4, 4, 3, 4, 4]).permute([0, 3, 1, 4, 2, 5]).reshape([count, 3, 16, 16]);
}

describe("LinearAutoencoder", () => {
  it("keeps everything with all directions, and what varies with few", () => {
    const x = pictures(32);
    const whole = new LinearAutoencoder({ patchSize: 4, channels: 48 });
    whole.fit(x);
    expectClose(whole.decode(whole.encode(x)), x, { atol: 1e-3 });

    const few = new LinearAutoencoder({ patchSize: 4, channels: 5 });
    few.fit(x);
    const lost = scope(() => few.decode(few.encode(x)).sub(x).abs().max().item());
    expect(lost).toBeLessThan(0.1);
  });

  it("has orthonormal directions, and latents of unit size whose finer ones are smaller", () => {
    const x = pictures(64);
    const latents = new LinearAutoencoder({ patchSize: 4, channels: 5 });
    latents.fit(x);
    const { directions } = latents;
    expectClose(directions.matmul(directions.transpose(0, 1)), eye(5), { atol: 1e-4 });
    const z = latents.encode(x);
    expect(z.shape).toEqual([64, 5, 4, 4]);
    expect(z.square().mean().item()).toBeCloseTo(1, 2);
    const deviations = z.transpose(0, 1).flatten(1).std([1]).tolist() as number[];
    expect(deviations).toEqual([...deviations].sort((a, b) => a - b));
  });

  it("refuses more directions than a patch has values", () => {
    expect(() => new LinearAutoencoder({ patchSize: 2, channels: 13 })).toThrow(/12 values has no 13/);
  });
});
