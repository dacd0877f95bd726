import { KeyedRandom } from "@omni-id/data";
import { manualSeed, noGrad, randn, tensor, zeros } from "@omni-id/torch";
import { describe, expect, it } from "vitest";
import { Block } from "../src/blocks.ts";
import { MaskedDecoder, maskedL1, putTokens, takeTokens } from "../src/masked-decoder.ts";
import { chooseTokens } from "../src/pictures/hidden-tokens.ts";
import { patchify, unpatchify } from "../src/pictures/patches.ts";
import { toTargetTokens } from "../src/pictures/target-tokens.ts";

describe("patchify", () => {
  it("is undone by unpatchify", () => {
    const x = randn([2, 3, 16, 16]);
    expect(unpatchify(patchify(x, 4), 4).tolist()).toEqual(x.tolist());
  });

  it("keeps each patch's pixels together: channel, row, column", () => {
    const x = tensor(
      Float32Array.from({ length: 2 * 4 * 4 }, (_, i) => i),
      { shape: [1, 2, 4, 4] },
    );
    // The second patch (row 0, column 1) of 2×2: channel 0 holds 2 3 / 6 7, channel 1 the same plus 16.
    expect(patchify(x, 2).at(0, 1).tolist()).toEqual([2, 3, 6, 7, 18, 19, 22, 23]);
  });
});

describe("chooseTokens", () => {
  const face = Uint8Array.from({ length: 256 }, (_, i) => Number(i % 16 >= 4 && i % 16 < 12));

  it("shows 5 % of 256 tokens: 13, and decodes face tokens before others", () => {
    const { index, visible } = chooseTokens(new KeyedRandom(1), face, { maskRatio: 0.95, count: 112 });
    expect(index).toHaveLength(112);
    expect(new Set(index).size).toBe(112);
    expect(visible.filter(Boolean)).toHaveLength(13);
    const hidden = index.filter((_, place) => !visible[place]);
    expect(hidden.every((token) => face[token])).toBe(true);
  });

  it("fills up with other tokens when the face is small", () => {
    const small = new Uint8Array(256);
    small.set([1, 1, 1], 100);
    const { index } = chooseTokens(new KeyedRandom(2), small, { maskRatio: 0.95, count: 50 });
    expect(index).toHaveLength(50);
    expect([100, 101, 102].every((token) => index.includes(token))).toBe(true);
  });

  it("shows every token equally often", () => {
    const counts = new Float64Array(256);
    const rounds = 4000;
    for (let i = 0; i < rounds; i++) {
      const { index, visible } = chooseTokens(new KeyedRandom(3, i), face, { maskRatio: 0.95, count: 112 });
      for (const [place, token] of index.entries()) if (visible[place]) counts[token]++;
    }
    const expected = (rounds * 13) / 256;
    for (const count of counts) expect(Math.abs(count - expected)).toBeLessThan(5 * Math.sqrt(expected));
  });
});

describe("takeTokens and putTokens", () => {
  it("put back what was taken, on the background elsewhere", () => {
    const grid = randn([2, 9, 5]);
    const index = tensor([
      [4, 0, 8],
      [1, 2, 3],
    ]).to("int64");
    const background = zeros([2, 9, 5]);
    const put = putTokens(takeTokens(grid, index), index, 9, background);
    expect(takeTokens(put, index).tolist()).toEqual(takeTokens(grid, index).tolist());
    expect(put.abs().sum([2]).ne(0).sum().item()).toBe(6);
  });
});

describe("maskedL1", () => {
  it("averages inside the mask only", () => {
    const decoded = tensor([[[1, 2, 3]]]);
    const target = tensor([[[0, 0, 100]]]);
    const mask = tensor([[[1, 1, 0]]]);
    expect(maskedL1(decoded.float(), target.float(), mask.float()).item()).toBeCloseTo(1.5, 6);
  });
});

describe("MaskedDecoder", () => {
  const options = { identityWidth: 32, imageSize: 32, patchSize: 4, width: 32, headWidth: 16, poseBlocks: 1 };

  it("sees nothing of hidden patches: what they hold does not change the result", () => {
    manualSeed(0);
    const decoder = new MaskedDecoder(options);
    noGrad(() => decoder.to_pixels.weight.copy_(randn(decoder.to_pixels.weight.shape)));
    const face = new Uint8Array(64).fill(1);
    const chosen = toTargetTokens([chooseTokens(new KeyedRandom(4), face, { maskRatio: 0.9, count: 40 })]);
    const patches = randn([1, 40, 48]);
    const other = patches.where(chosen.visible.unsqueeze(-1), randn([1, 40, 48]));
    const identity = randn([1, 8, 32]);
    const [a, b] = [patches, other].map((some) => decoder.forward(some, chosen, identity));
    expect(a.shape).toEqual([1, 40, 48]);
    expect(a.sub(b).abs().amax([0, 1, 2]).item()).toBe(0);
    expect(
      decoder
        .forward(patches, chosen, randn([1, 8, 32]))
        .sub(a)
        .abs()
        .mean()
        .item(),
    ).toBeGreaterThan(1e-4);
  });

  it("starts from a constant picture", () => {
    const decoder = new MaskedDecoder(options);
    const chosen = toTargetTokens([{ index: [0, 5], visible: [true, false] }]);
    const out = decoder.forward(randn([1, 2, 48]), chosen, randn([1, 8, 32]));
    expect(out.at(0, 0).tolist()).toEqual(out.at(0, 1).tolist());
  });
});

describe("Block", () => {
  it("is a residual: with its output weights at zero nothing changes", () => {
    const block = new Block({ width: 32, context: 24, headWidth: 16 });
    for (const [key, parameter] of block.namedParameters()) {
      if (key.startsWith("attn.out") || key.startsWith("mlp.fc2")) noGrad(() => parameter.zero_());
    }
    const x = randn([2, 5, 32]);
    expect(block.forward(x, randn([2, 7, 24])).tolist()).toEqual(x.tolist());
  });
});
