import { manualSeed, rand, randint, randn, type Tensor, zeros } from "@omni-id/torch";
import { beforeAll, describe, it } from "vitest";
import type { WordEncoder } from "../src/backbones/words.ts";
import {
  adapterGraph,
  controlGraph,
  decoderGraph,
  encoderGraph,
  fluxGraph,
  latentsGraph,
  promptsGraph,
} from "../src/onnx/graphs.ts";
import { type ExportedFlow, type ExportedStageOne, loadForExport } from "../src/onnx/load.ts";
import { drawHidden } from "../src/reconstruct.ts";
import { checkGraph, type Inputs } from "./onnx-check.ts";

/** The graphs that `omni-id export` writes, of the shipped weights at their sizes. */
let loaded: ExportedStageOne & ExportedFlow;
beforeAll(async () => {
  manualSeed(5);
  const { flow, ...one } = await loadForExport();
  loaded = { ...one, ...(flow as ExportedFlow) };
});

const unit = (...shape: number[]): Tensor => rand(shape).mul(2).sub(1);

describe("of the shipped weights", () => {
  it("the backbone with the encoder, for 1 to 10 photos", async () => {
    const { encoder } = loaded.encoder.bundle;
    const photos = (count: number) => ({ photos: unit(1, count, 3, 112, 112) });
    const many = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(photos);
    await checkGraph(encoderGraph(encoder), (inputs) => ({ identity: encoder.forward(inputs.photos) }), many);
  });

  it("the masked decoder", async () => {
    const { decoder, encoder } = loaded;
    const inputs = (batch: number, count: number) => ({
      truth: unit(batch, 3, 64, 64),
      // Every token once at most, as a mask chooses them.
      index: rand([batch, 256]).argsort(1).narrow(1, 0, count).contiguous(),
      visible: randint(0, 2, [batch, count]),
      identity: randn([batch, 32, 128]),
    });
    const fn = ({ truth, index, visible, identity }: Inputs) => ({
      picture: drawHidden(decoder, { truth, index, visible: visible.gt(0), identity }),
    });
    await checkGraph(decoderGraph(decoder, encoder.preset), fn, [inputs(1, 112), inputs(3, 40)]);
  });

  it("the words' encoder, the adapter, the ControlNet, one step of the flow base with all of them, and the pictures", async () => {
    const { base, adapter, control } = loaded;
    const model = base.base;
    const prompts = model.prompts as WordEncoder;
    const wordsTold = (inputs: Inputs) => {
      const { txt, y } = prompts.fromNumbers(inputs.words);
      return { txt, y } as Inputs;
    };
    const words = (batch: number) => ({ words: randint(0, 100, [batch, 24]) });
    await checkGraph(promptsGraph(model), wordsTold, [words(1)]);

    const person = (batch: number) => ({ identity: randn([batch, 32, 128]) });
    const told = ({ identity }: Inputs) => {
      const { identity: who, modulation, extraText } = adapter.conditions(identity);
      return { tokens: who?.tokens, modulation, extra: extraText } as Inputs;
    };
    await checkGraph(adapterGraph(adapter), told, [person(1), person(4)]);

    const noisy = (batch: number) => ({
      x: randn([batch, 64, 48]),
      t: rand([batch]),
      txt: randn([batch, 24, 64]),
      y: randn([batch, 64]),
    });
    const steered = (batch: number) => ({ ...noisy(batch), landmarks: unit(batch, 3, 64, 64) });
    const residuals = ({ x, t, txt, y, landmarks }: Inputs) => {
      const made = control.forward({ ...model.input(x, t, { txt, y }), condition: landmarks });
      return Object.fromEntries(made.map((one, i) => [`residual_${i + 1}`, one]));
    };
    await checkGraph(controlGraph(model, control, base.preset), residuals, [steered(1), steered(4)]);

    // One step as drawing takes it, against the model itself: with a person and landmarks, and with neither.
    const step = (inputs: Inputs) => {
      const { x, t, txt, y, identity, landmarks } = inputs;
      return { velocity: model.velocity(x, t, { txt, y }, control.steer(landmarks, adapter.conditions(identity))) };
    };
    const bare = ({ x, t, txt, y }: Inputs) => ({ velocity: model.velocity(x, t, { txt, y }) });
    const graph = fluxGraph(model, adapter, base.preset);
    for (const batch of [1, 4]) {
      const given = { ...steered(batch), ...person(batch) };
      const { landmarks: _, ...common } = given;
      const conditions = { ...told(given), ...residuals(given), scale: zeros([batch]).add(1) };
      const { identity: __, ...asked } = { ...common, ...conditions };
      await checkGraph(graph, () => step(given), [asked as Inputs]);
      const nothing = {
        tokens: zeros([batch, 32, 128]),
        scale: zeros([batch]),
        modulation: zeros([batch, 192]),
        extra: zeros([batch, 0, 192]),
        residual_1: zeros([batch, 64, 192]),
        residual_2: zeros([batch, 64, 192]),
      };
      await checkGraph(graph, bare, [{ ...noisy(batch), ...nothing }]);
    }

    const latents = (batch: number) => ({ x: randn([batch, 64, 48]) });
    await checkGraph(latentsGraph(model), ({ x }) => ({ pictures: model.pictures(x).clamp(-1, 1) }), [
      latents(1),
      latents(4),
    ]);
  });
});
