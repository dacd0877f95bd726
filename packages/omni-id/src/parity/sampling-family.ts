import { existsSync, readFileSync } from "node:fs";
import { F, scope, type Tensor, tensor } from "@omni-id/torch";
import { z } from "zod";
import { FLUX2_KLEIN } from "../backbones/flux-options.ts";
import { imagePositions, textPositions } from "../backbones/flux-positions.ts";
import { QWEN3_4B } from "../backbones/qwen3.ts";
import { ropeTable } from "../backbones/rope.ts";
import { DRAWING } from "../checkpoints/klein-base.ts";
import { wantedPath } from "../checkpoints/wanted.ts";
import { patchify } from "../pictures/patches.ts";
import { referenceSize } from "../pictures/reference-photo.ts";
import { flux2Shift, schedule } from "../sampling-steps.ts";
import { chatFrame, framedIds, QWEN3_TOKENS } from "../text/chat-frame.ts";
import { Tokenizer } from "../text/tokenizer.ts";

const numbers = z.array(z.number());
const pair = z.tuple([z.number(), z.number()]);

const schema = z.object({
  defaults: z.record(z.string(), z.object({ num_steps: z.number(), guidance: z.number() })).optional(),
  mu: z.array(z.object({ image_seq_len: z.number(), num_steps: z.number(), mu: z.number() })).default([]),
  schedules: z.array(z.object({ image_seq_len: z.number(), num_steps: z.number(), timesteps: numbers })).default([]),
  canvas: z
    .array(z.object({ width: z.number(), height: z.number(), noise_shape: numbers, image_seq_len: z.number() }))
    .default([]),
  image_ids: z.array(z.object({ grid_hw: pair, ids: z.array(numbers) })).default([]),
  text_ids: z.array(z.object({ length: z.number(), ids: z.array(numbers) })).default([]),
  reference_prep: z
    .array(
      z.object({
        width: z.number(),
        height: z.number(),
        images: z.number(),
        refused: z.boolean().default(false),
        capped: numbers.optional(),
        cropped: numbers.optional(),
        grid_hw: numbers.optional(),
      }),
    )
    .default([]),
  reference_ids: z.array(z.object({ images_wh: z.array(pair), ids: z.array(numbers) })).default([]),
  pack: z.array(z.object({ shape: numbers, tokens: z.array(numbers) })).default([]),
  patchify: z.array(z.object({ shape: numbers, patched_shape: numbers, patched: numbers })).default([]),
  rope: z.object({ axes_dim: numbers, theta: z.number(), omega: numbers }).optional(),
  prompts: z
    .array(z.object({ prompt: z.string(), text: z.string().nullable(), count: z.number(), ids: numbers }))
    .default([]),
  prompt_length: z.number().optional(),
  pad_id: z.number().optional(),
  output_layers: numbers.optional(),
});

type Sampling = z.infer<typeof schema>;
interface Compared {
  name: string;
  difference: number;
}

/** Pixels of a FLUX.2 token along one side. */
const TOKEN = 16;

/**
 * What stands around FLUX.2's networks, against a JSON file of the reference's own numbers. Token ids are compared where
 * Qwen3's tokenizer lies among the models.
 * @throws one line when the file is not such a one
 */
export function* samplingOutputs(path: string): Generator<Compared> {
  const file = read(path);
  for (const [name, { num_steps, guidance }] of Object.entries(file.defaults ?? {})) {
    const ours = DRAWING[name.includes("base") ? "base" : "distilled"];
    yield compare(`defaults.${name}`, [ours.steps ?? 0, ours.guidance ?? 0], [num_steps, guidance]);
  }
  for (const { image_seq_len: tokens, num_steps: steps, mu } of file.mu) {
    yield compare(`mu.${tokens}.${steps}`, [flux2Shift(tokens, steps)], [mu]);
  }
  for (const { image_seq_len: tokens, num_steps: steps, timesteps } of file.schedules) {
    yield compare(`schedule.${tokens}.${steps}`, schedule({ steps, tokens, shift: flux2Shift }), timesteps);
  }
  yield* positionOutputs(file);
  yield* pictureOutputs(file);
  yield* promptOutputs(file);
}

function read(path: string): Sampling {
  if (!existsSync(path)) throw new Error(`${path}: no such file`);
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    throw new Error(`${path}: it is cut off, or no JSON`);
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const [{ path: place, message }] = parsed.error.issues;
    throw new Error(`${path}: no sampling vectors of FLUX.2: ${place.join(".")}: ${message}`);
  }
  return parsed.data;
}

function* positionOutputs(file: Sampling): Generator<Compared> {
  for (const [
    i,
    {
      grid_hw: [rows, columns],
      ids,
    },
  ] of file.image_ids.entries()) {
    yield compare(`image_ids.${i}`, listed(imagePositions({ rows, columns }, FLUX2_KLEIN)), ids.flat());
  }
  for (const { length, ids } of file.text_ids) {
    yield compare(`text_ids.${length}`, listed(textPositions({ length }, FLUX2_KLEIN)), ids.flat());
  }
  for (const [i, { images_wh: sizes, ids }] of file.reference_ids.entries()) {
    const ours = sizes.flatMap(([width, height], reference) => {
      const [w, h] = referenceSize(width, height, sizes.length).cropped;
      return listed(imagePositions({ rows: h / TOKEN, columns: w / TOKEN, reference }, FLUX2_KLEIN));
    });
    yield compare(`reference_ids.${i}`, ours, ids.flat());
  }
  if (file.rope) {
    const { axes_dim: axes, theta, omega } = file.rope;
    const table = ropeTable(tensor([axes.map(() => 1)], { dtype: "float32" }), { axes, theta });
    const turned = listed(table).slice(0, 2 * omega.length);
    // At position 1 a pair turns by its frequency.
    const ours = omega.map((_, i) => Math.atan2(turned[2 * i + 1], turned[2 * i]));
    yield compare("rope.omega", ours, omega);
  }
}

function* pictureOutputs(file: Sampling): Generator<Compared> {
  for (const { width, height, noise_shape, image_seq_len } of file.canvas) {
    const [rows, columns] = [height / TOKEN, width / TOKEN];
    const ours = [1, FLUX2_KLEIN.inChannels, rows, columns, rows * columns];
    yield compare(`canvas.${width}x${height}`, ours, [...noise_shape, image_seq_len]);
  }
  for (const { width, height, images, refused, capped = [], cropped = [], grid_hw = [] } of file.reference_prep) {
    const name = `reference.${width}x${height}.${images}`;
    const size = sizeOf(width, height, images);
    if (refused || !size) yield { name, difference: refused === !size ? 0 : Number.POSITIVE_INFINITY };
    else {
      const grid = [size.cropped[1] / TOKEN, size.cropped[0] / TOKEN];
      yield compare(name, [...size.capped, ...size.cropped, ...grid], [...capped, ...cropped, ...grid_hw]);
    }
  }
  const counted = (shape: readonly number[]) => {
    const count = shape.reduce((product, side) => product * side, 1);
    return tensor(
      Array.from({ length: count }, (_, i) => i),
      { shape: [1, ...shape], dtype: "float32" },
    );
  };
  for (const [i, { shape, tokens }] of file.pack.entries()) {
    yield compare(`pack.${i}`, listed(patchify(counted(shape), 1)), tokens.flat());
  }
  for (const [i, { shape, patched }] of file.patchify.entries()) {
    yield compare(`patchify.${i}`, listed(F.pixelUnshuffle(counted(shape), 2)), patched);
  }
}

function sizeOf(width: number, height: number, images: number): ReturnType<typeof referenceSize> | undefined {
  try {
    return referenceSize(width, height, images);
  } catch {
    return undefined;
  }
}

function* promptOutputs(file: Sampling): Generator<Compared> {
  if (file.output_layers) yield compare("output_layers", [...QWEN3_4B.outputs], file.output_layers);
  if (file.prompt_length) yield compare("prompt_length", [QWEN3_TOKENS.length], [file.prompt_length]);
  const tokenizer = qwenTokenizer();
  if (tokenizer && file.pad_id) yield compare("pad_id", [tokenizer.padId], [file.pad_id]);
  for (const [i, { prompt, text, count, ids }] of file.prompts.entries()) {
    if (text !== null) {
      yield { name: `prompt.${i}.text`, difference: chatFrame(prompt) === text ? 0 : Number.POSITIVE_INFINITY };
    }
    if (!tokenizer) continue;
    const framed = framedIds(tokenizer, [prompt], { cut: true });
    const ours = listed(
      framed.ids.narrow(
        1,
        0,
        listed(framed.mask).reduce((sum, one) => sum + one, 0),
      ),
    );
    // Of a long prompt the file has the two ends.
    const shown = ids.length < count ? [...ours.slice(0, ids.length / 2), ...ours.slice(-ids.length / 2)] : ours;
    yield compare(`prompt.${i}.ids`, [ours.length, ...shown], [count, ...ids]);
  }
}

function qwenTokenizer(): Tokenizer | undefined {
  let path: string;
  try {
    path = wantedPath("Qwen3's tokenizer");
  } catch {
    return undefined; // not among the models
  }
  return new Tokenizer(path, QWEN3_TOKENS);
}

const listed = (t: Tensor): number[] => scope(() => t.flatten().tolist() as number[]);

/** Largest difference over the largest wanted number; infinite where there are more or fewer. */
function compare(name: string, got: readonly number[], wanted: readonly number[]): Compared {
  if (got.length !== wanted.length) return { name, difference: Number.POSITIVE_INFINITY };
  const largest = Math.max(...wanted.map(Math.abs)) || 1;
  return { name, difference: Math.max(0, ...wanted.map((value, i) => Math.abs(got[i] - value))) / largest };
}
