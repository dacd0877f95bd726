import { fileURLToPath } from "node:url";
import { loadSafetensors, noGrad, onDevice, type Tensor } from "@omni-id/torch";
import { describe, expect, it } from "vitest";
import { type Activation, CLIP_H, ClipTextModel, ClipVisionModel } from "../src/backbones/clip.ts";

function golden(name: string) {
  const file = fileURLToPath(new URL(`fixtures/${name}.safetensors`, import.meta.url));
  const { tensors } = loadSafetensors(file);
  const part = (prefix: string) =>
    new Map([...tensors].filter(([key]) => key.startsWith(prefix)).map(([key, t]) => [key.slice(prefix.length), t]));
  return { weights: part("weights."), io: part("io.") };
}

/** Largest difference over the largest reference value. */
function difference(got: Tensor, wanted: Tensor | undefined): number {
  if (!wanted) throw new Error("the fixture lacks this output");
  const largest = (t: Tensor) => t.abs().flatten().amax([0]).item();
  return largest(got.sub(wanted)) / largest(wanted);
}

const only = (weights: Map<string, Tensor>, ...prefixes: string[]) =>
  new Map([...weights].filter(([key]) => prefixes.some((prefix) => key.startsWith(prefix))));

describe.each<[string, Activation]>([
  ["clip-tiny-gelu", "gelu"],
  ["clip-tiny-quickgelu", "quick_gelu"],
])("%s", (name, activation) => {
  const { weights, io } = golden(name);
  const tower = { width: 32, heads: 2, mlp: 128, activation, projection: 24 };

  it("sees pictures as CLIP does", () => {
    const model = new ClipVisionModel({ ...tower, layers: 3, imageSize: 28, patchSize: 7 });
    model.loadStateDict(only(weights, "vision_model.", "visual_projection."));
    noGrad(() => {
      const states = model.forward(io.get("pixel_values") as Tensor);
      expect(difference(states, io.get("last_hidden_state"))).toBeLessThan(1e-4);
      expect(difference(model.embed(states), io.get("image_embeds"))).toBeLessThan(1e-4);
    });
  });

  it("reads texts as CLIP does", () => {
    const model = new ClipTextModel({ ...tower, layers: 2, vocabulary: 99, length: 12 });
    model.loadStateDict(only(weights, "text_model.", "text_projection."));
    noGrad(() => {
      expect(difference(model.forward(io.get("input_ids") as Tensor), io.get("text_embeds"))).toBeLessThan(1e-4);
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
