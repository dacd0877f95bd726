import { noGrad, onDevice, type Tensor } from "@omni-id/torch";
import { describe, expect, it } from "vitest";
import { relativeBuckets, T5_XXL, T5Encoder } from "../src/backbones/t5.ts";
import { difference, golden } from "./golden.ts";

describe("the T5 encoder", () => {
  const fixture = golden("t5-tiny");
  const tiny = () => {
    const t5 = new T5Encoder({ vocabulary: 120, width: 32, heads: 4, headWidth: 8, hidden: 64, layers: 3 });
    t5.loadStateDict(fixture.part("weights."));
    return t5;
  };

  it("reads texts as transformers' T5EncoderModel does", () => {
    noGrad(() => {
      const states = tiny().forward(fixture.get("io.input_ids"));
      expect(difference(states, fixture.get("io.last_hidden_state"))).toBeLessThan(1e-4);
    });
  });

  it("keeps bfloat16 weights as they are", () => {
    noGrad(() => {
      const states = tiny().to({ dtype: "bfloat16" }).forward(fixture.get("io.input_ids"));
      expect(states.dtype).toBe("bfloat16");
      const wanted = fixture.get("io.last_hidden_state");
      const rms = (t: Tensor) => t.square().mean().sqrt().item();
      expect(rms(states.float().sub(wanted)) / rms(wanted)).toBeLessThan(0.15);
    });
  });

  it("tells distances apart one by one, then in logarithmic steps, then no more", () => {
    const row = (relativeBuckets(300, { buckets: 32, maxDistance: 128 }).tolist() as number[][])[0];
    expect(row.slice(0, 9)).toEqual([0, 17, 18, 19, 20, 21, 22, 23, 24]);
    expect([11, 12, 15, 16, 22, 23, 31, 32, 90, 91, 128, 299].map((i) => row[i])).toEqual([
      24, 25, 25, 26, 26, 27, 27, 28, 30, 31, 31, 31,
    ]);
    const column = (relativeBuckets(300, { buckets: 32, maxDistance: 128 }).tolist() as number[][]).map(
      ([first]) => first,
    );
    expect(column.slice(1)).toEqual(row.slice(1).map((bucket) => bucket - 16));
  });

  it("XXL has 4,762,310,656 parameters, under Hugging Face's keys", () => {
    const state = onDevice("meta", () => new T5Encoder(T5_XXL)).stateDict();
    expect([...state.values()].reduce((sum, { numel }) => sum + numel, 0)).toBe(4_762_310_656);
    expect(state.get("encoder.block.23.layer.1.DenseReluDense.wi_1.weight")?.shape).toEqual([10240, 4096]);
    expect(state.get("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight")?.shape).toEqual([32, 64]);
    expect(state.has("encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight")).toBe(false);
  });
});
