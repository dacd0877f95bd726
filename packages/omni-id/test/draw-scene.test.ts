import { noGrad, scope, tensor } from "@omni-id/torch";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../torch/test/close.ts";
import { drawPictures } from "../src/generate/draw.ts";
import { drawScene, type SceneOptions } from "../src/generate/draw-scene.ts";
import { tinyBase } from "./tiny-base.ts";

const base = tinyBase();
const [tokens, channels] = base.tokenShape;
/** Stands for an identity: something that changes the velocity. */
const conditions = { modulation: tensor(Array.from({ length: 32 }, (_, i) => Math.sin(i))).view([1, 32]) };
const shared = { steps: 4, precision: "float32" } as const;
const scene = (options: Partial<SceneOptions>) =>
  drawScene(base, {
    ...shared,
    pictures: [0, 1].map((number) => ({ prompt: "red hat", seed: 5, number })),
    negative: "photo person",
    guidance: { text: 1, identity: 1 },
    ...options,
  });
const plain = (prompt: string, options: Partial<Parameters<typeof drawPictures>[1]> = {}) =>
  drawPictures(base, { ...shared, count: 2, seed: 5, prompt, guidance: 1, ...options });

describe("a scene", () => {
  it("with both guidances 1 is what the model says by itself, with the identity and without", () => {
    expect([tokens, channels]).toEqual([64, 48]);
    expectClose(scene({}), plain("red hat"));
    expectClose(scene({ conditions }), plain("red hat", { conditions }));
    expectClose(scene({ conditions, guidance: { text: 1, identity: 0 } }), plain("red hat"));
  });

  it("with a guidance of the identity alone is the usual one away from the same prompt", () => {
    const usual = plain("red hat", { conditions, guidance: 3 });
    expectClose(scene({ conditions, guidance: { text: 1, identity: 3 } }), usual);
  });

  it("does not say whom to draw before the identity's time, and then does", () => {
    const told = (start: number, end: number) => scene({ conditions, span: { start, end } });
    expectClose(told(0, 1), plain("red hat", { conditions }));
    const late = told(0.5, 1);
    const differs = (a: typeof late, b: typeof late) => noGrad(() => scope(() => a.sub(b).abs().max().item()));
    expect(differs(late, plain("red hat"))).toBeGreaterThan(1e-5);
    expect(differs(late, told(0, 1))).toBeGreaterThan(1e-5);
  });

  it("leads away from a negative prompt, and from itself nowhere", () => {
    const twice = { text: 4, identity: 1 };
    expectClose(scene({ negative: "red hat", guidance: twice }), plain("red hat"));
    const away = scene({ negative: "person", guidance: twice });
    expect(noGrad(() => away.sub(plain("red hat")).abs().max().item())).toBeGreaterThan(1e-5);
  });
});
