import { manualSeed, rand, randint, randn } from "@omni-id/torch";
import { beforeAll, describe, it } from "vitest";
import { CLIP_H, ClipBackbone } from "../src/backbones/clip.ts";
import { CLIP_L_TEXT, ClipTextModel } from "../src/backbones/clip-text.ts";
import { T5Encoder } from "../src/backbones/t5.ts";
import { Encoder } from "../src/encoder.ts";
import {
  buildControl,
  buildEncoder,
  buildFlowAdapter,
  buildFlowBase,
  buildMaskedDecoder,
} from "../src/weights/build.ts";
import { shake } from "./flux-small.ts";
import { checkExport as check, type Inputs } from "./onnx-check.ts";
import { tinyPreset } from "./tiny-weights.ts";

beforeAll(() => manualSeed(21));

describe("as an ONNX graph", () => {
  it("the nano encoder takes any number of people and photos", async () => {
    const encoder = buildEncoder(tinyPreset()).eval();
    const photos = (people: number, count: number) => ({ photos: rand([people, count, 3, 112, 112]).mul(2).sub(1) });
    await check(encoder, ({ photos: x }) => encoder.forward(x), [photos(2, 3), photos(3, 5), photos(1, 10)]);
  });

  it("the encoder on CLIP too", async () => {
    const clip = { ...CLIP_H, imageSize: 28, width: 32, heads: 2, mlp: 24, layers: 2 };
    const encoder = new Encoder({ backbone: new ClipBackbone(clip), queries: 6, width: 32, headWidth: 16 }).eval();
    shake(encoder);
    const photos = (people: number, count: number) => ({ photos: rand([people, count, 3, 28, 28]).mul(2).sub(1) });
    await check(encoder, ({ photos: x }) => encoder.forward(x), [photos(2, 3), photos(3, 5), photos(1, 7)]);
  });

  it("the masked decoder takes any number of faces and tokens", async () => {
    const preset = tinyPreset();
    const decoder = buildMaskedDecoder(preset).eval();
    shake(decoder);
    const { tokens, width } = preset.identity;
    const inputs = (batch: number, count: number) => ({
      patches: rand([batch, count, 3 * decoder.patchSize ** 2]),
      index: randint(0, 256, [batch, count]),
      visible: randint(0, 2, [batch, count]),
      identity: randn([batch, tokens, width]),
    });
    const fn = ({ patches, index, visible, identity }: Inputs) =>
      decoder.forward(patches, { index, visible: visible.gt(0) }, identity);
    await check(decoder, fn, [inputs(2, 13), inputs(3, 19), inputs(5, 7)]);
  });

  it("the flow base with adapter and ControlNet, one step", async () => {
    const preset = tinyPreset();
    const base = buildFlowBase(preset).eval();
    const adapter = buildFlowAdapter(preset).eval();
    const control = buildControl(preset, base).eval();
    for (const module of [base, adapter, control]) shake(module);
    const { flux, prompts } = preset.flow;
    const [tokens, channels] = base.tokenShape;
    const length = prompts.kind === "words" ? prompts.length : 0;
    const inputs = (batch: number) => ({
      x: randn([batch, tokens, channels]),
      t: rand([batch]),
      txt: randn([batch, length, flux.contextWidth]),
      y: randn([batch, flux.vectorWidth]),
      identity: randn([batch, preset.identity.tokens, preset.identity.width]),
      landmarks: rand([batch, 3, preset.flow.imageSize, preset.flow.imageSize]).mul(2).sub(1),
    });
    const fn = ({ x, t, txt, y, identity, landmarks }: Inputs) =>
      base.velocity(x, t, { txt, y }, control.steer(landmarks, adapter.conditions(identity)));
    await check(base, fn, [inputs(2), inputs(3), inputs(5)]);
    const alone = (batch: number) => {
      const { x, t, txt, y } = inputs(batch);
      return { x, t, txt, y };
    };
    await check(base, ({ x, t, txt, y }) => base.velocity(x, t, { txt, y }), [alone(2), alone(3), alone(1)]);
  });

  it("T5 and CLIP's text encoder take prompts of any length", async () => {
    const ids = (batch: number, length: number) => ({ ids: randint(0, 40, [batch, length]) });
    const t5 = new T5Encoder({ vocabulary: 40, width: 16, heads: 2, headWidth: 8, hidden: 24, layers: 2 }).eval();
    shake(t5);
    await check(t5, (inputs) => t5.forward(inputs.ids), [ids(2, 5), ids(3, 9), ids(1, 21)]);
    const clip = new ClipTextModel({
      ...CLIP_L_TEXT,
      vocabulary: 40,
      length: 24,
      width: 16,
      heads: 2,
      mlp: 24,
      layers: 2,
    }).eval();
    shake(clip);
    await check(clip, (inputs) => clip.forward(inputs.ids), [ids(2, 5), ids(3, 9), ids(1, 21)]);
  });
});
