import { cat, noGrad, randn, scope, type Tensor, tensor, zeros } from "@omni-id/torch";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../torch/test/close.ts";
import type { FluxTrunkInput } from "../src/backbones/flux-trunk.ts";
import { FlowBase } from "../src/flow-base.ts";
import { drawPictures } from "../src/generate/draw.ts";
import { NOISE } from "../src/generate/draw-settings.ts";
import { keyedGenerator } from "../src/people/draws.ts";
import { schedule } from "../src/sampling-steps.ts";
import { tinyBase, tinyBasePreset } from "./tiny-base.ts";

describe("guidance with a pose", () => {
  const base = tinyBase();
  const [tokens, channels] = base.tokenShape;
  const channelwise = tensor(Array.from({ length: 32 }, (_, i) => Math.sin(i)));
  /** Stands for an identity. */
  const conditions = { modulation: channelwise.view([1, 32]) };
  /** As a ControlNet's: they depend on the noisy picture, the time and the words. */
  const residuals = ({ img, txt, timesteps }: FluxTrunkInput): Tensor[] => {
    const told = img.mean([2], { keepdim: true }).add(txt.mean().add(timesteps.mean()));
    return [told.mul(channelwise)];
  };
  const settings = { count: 2, seed: 5, steps: 1, solver: "euler", precision: "float32", prompt: "red hat" } as const;

  it("is v(nobody) + g · (v(person) − v(nobody)), both in that pose", () => {
    const drawn = drawPictures(base, {
      ...settings,
      guidance: 3,
      conditions,
      control: (input) => ({ residuals: residuals(input) }),
    });
    const byHand = scope(() =>
      noGrad(() => {
        const x = cat([0, 1].map((i) => randn([1, tokens, channels], { generator: keyedGenerator(5, i, NOISE) })));
        const [from, to] = schedule({ steps: 1, tokens, shift: base.drawing.shift });
        const words = base.prompts.encode(["red hat", "red hat"]);
        const t = zeros([2]).add(from);
        const posed = { residuals: residuals(base.input(x, t, words)) };
        const nobody = base.velocity(x, t, words, posed);
        const person = base.velocity(x, t, words, { ...conditions, ...posed });
        const v = nobody.add(person.sub(nobody).mul(3));
        return base.pictures(x.add(v.mul(to - from))).clamp(-1, 1);
      }),
    );
    expectClose(drawn, byHand);
    const unposed = drawPictures(base, { ...settings, guidance: 3, conditions });
    expect(noGrad(() => unposed.sub(drawn).abs().max().item())).toBeGreaterThan(1e-3);
  });

  it("asks for the pose once a step, for both sides", () => {
    let asked = 0;
    const control = (input: FluxTrunkInput) => {
      asked++;
      return { residuals: residuals(input) };
    };
    drawPictures(base, { ...settings, steps: 4, guidance: 3, conditions, control });
    expect(asked).toBe(4);
  });

  it("asks twice where guidance leads away from an empty prompt, in the words of each side", () => {
    const { latents, prompts, flux } = base;
    const own = {
      packing: tinyBasePreset.flow.packing,
      imageSize: tinyBasePreset.flow.imageSize,
      drawing: { emptyPrompt: "photo" },
    };
    const towards = new FlowBase({ latents, prompts, flux, ...own });
    const words: number[] = [];
    const control = (input: FluxTrunkInput) => {
      words.push(input.txt.sum().item());
      return { residuals: residuals(input) };
    };
    drawPictures(towards, { ...settings, guidance: 3, conditions, control });
    const told = (text: string) => noGrad(() => scope(() => prompts.encode([text, text]).txt.sum().item()));
    expect(words).toEqual([told("red hat"), told("photo")]);
  });
});
