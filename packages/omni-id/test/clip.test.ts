import { noGrad, onDevice, type Tensor } from "@omni-id/torch";
import { describe, expect, it } from "vitest";
import { CLIP_H, ClipVisionModel } from "../src/backbones/clip.ts";
import type { Activation } from "../src/backbones/clip-layers.ts";
import { CLIP_L_TEXT, ClipTextModel } from "../src/backbones/clip-text.ts";
import { difference, golden } from "./golden.ts";

const only = (weights: Map<string, Tensor>, ...prefixes: string[]) =>
  new Map([...weights].filter(([key]) => prefixes.some((prefix) => key.startsWith(prefix))));

describe.each<[string, Activation]>([
  ["clip-tiny-gelu", "gelu"],
  ["clip-tiny-quickgelu", "quick_gelu"],
])("%s", (name, activation) => {
  const fixture = golden(name);
  const weights = fixture.part("weights.");
  const tower = { width: 32, heads: 2, mlp: 128, activation, projection: 24 };

  it("sees pictures as CLIP does", () => {
    const model = new ClipVisionModel({ ...tower, layers: 3, imageSize: 28, patchSize: 7 });
    model.loadStateDict(only(weights, "vision_model.", "visual_projection."));
    noGrad(() => {
      const states = model.forward(fixture.get("io.pixel_values"));
      expect(difference(states, fixture.get("io.last_hidden_state"))).toBeLessThan(1e-4);
      expect(difference(model.embed(states), fixture.get("io.image_embeds"))).toBeLessThan(1e-4);
    });
  });

  it("reads texts as CLIP does", () => {
    const model = new ClipTextModel({ ...tower, layers: 2, vocabulary: 99, length: 12 });
    model.loadStateDict(only(weights, "text_model.", "text_projection."));
    noGrad(() => {
      expect(difference(model.forward(fixture.get("io.input_ids")), fixture.get("io.text_embeds"))).toBeLessThan(1e-4);
    });
  });

  it("names what does not fit", () => {
    const model = new ClipVisionModel({ ...tower, layers: 4, imageSize: 28, patchSize: 7 });
    expect(() => model.loadStateDict(only(weights, "vision_model.", "visual_projection."))).toThrow(
      /missing \(16\):\n {2}vision_model\.encoder\.layers\.3\.self_attn\.q_proj\.weight/,
    );
  });
});

it("CLIP-H has the 632,076,800 parameters of laion's checkpoint, under its keys", () => {
  const model = onDevice("meta", () => new ClipVisionModel(CLIP_H));
  const state = model.stateDict();
  expect(model.parameters().reduce((sum, { numel }) => sum + numel, 0)).toBe(632_076_800);
  expect(state.get("vision_model.encoder.layers.31.mlp.fc1.weight")?.shape).toEqual([5120, 1280]);
  expect(state.get("vision_model.embeddings.position_embedding.weight")?.shape).toEqual([257, 1280]);
  expect(state.get("visual_projection.weight")?.shape).toEqual([1024, 1280]);
});

it("CLIP-L's text encoder has the 123,060,480 parameters of OpenAI's checkpoint", () => {
  const state = onDevice("meta", () => new ClipTextModel(CLIP_L_TEXT)).stateDict();
  expect([...state.values()].reduce((sum, { numel }) => sum + numel, 0)).toBe(123_060_480);
  expect(state.get("text_model.encoder.layers.11.mlp.fc1.weight")?.shape).toEqual([3072, 768]);
});
