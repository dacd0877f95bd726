import { type Answer, type Asked, Cancelled, type TaskName } from "../src/engine/tasks.ts";
import type { TaskRunner } from "../src/engine/thread.ts";

const HASH = "ab".repeat(32);
const PNG = new Uint8Array([137, 80, 78, 71]);

/** An engine that takes no time, or waits until it is told to go on: what the server does with it is what is tested. */
export class FakeEngine implements TaskRunner {
  readonly asked: { task: TaskName; asked: unknown }[] = [];
  running = 0;
  mostRunning = 0;
  /** Tasks wait for this. */
  gate: Promise<void> = Promise.resolve();
  /** Told of every task that was cancelled. */
  cancelled = 0;

  async run<Name extends TaskName>(
    task: Name,
    asked: Asked<Name>,
    { signal, onProgress }: Parameters<TaskRunner["run"]>[2] = {},
  ): Promise<Answer<Name>> {
    this.asked.push({ task, asked });
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    try {
      onProgress?.({ done: 0, total: 2 });
      await Promise.race([this.gate, aborted(signal)]);
      if (signal?.aborted) {
        this.cancelled++;
        throw new Cancelled();
      }
      onProgress?.({ done: 2, total: 2, pictures: [{ width: 1, height: 1, data: new Uint8Array(3) }] });
      return answers[task](asked as never) as Answer<Name>;
    } finally {
      this.running--;
    }
  }

  async close(): Promise<void> {}
}

/** Holds all tasks until `open` is called. */
export function gate(): { closed: Promise<void>; open: () => void } {
  let open = () => {};
  const closed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { closed, open };
}

const aborted = (signal?: AbortSignal) =>
  new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve(), { once: true }));

export const someIdentity = (photos = 1) => ({
  values: Float32Array.from({ length: 8 }, (_, i) => i / 8),
  shape: [2, 4],
  encoder: { name: "nano", hash: HASH },
  photos: Array.from({ length: photos }, (_, i) => ({
    name: `photo ${i + 1}`,
    quality: 0.5,
    pose: { yaw: 1, pitch: 2, roll: 3 },
  })),
  created: "2026-01-01T00:00:00.000Z",
});

const answers: { [Name in TaskName]: (asked: never) => Answer<Name> } = {
  about: () => ({
    encoder: "nano",
    hash: HASH,
    canDraw: true,
    imageSize: 64,
    guidance: 3,
    realGuidance: 1.5,
    steps: 20,
    words: ["smile"],
    expressions: ["neutral", "smile"],
  }),
  encode: ({ photos }: Asked<"encode">) => ({
    values: someIdentity(photos.length),
    used: photos.map(({ name }) => ({ photo: name, face: PNG, quality: 0.5, pose: { yaw: 0, pitch: 0, roll: 0 } })),
    refused: [],
    warnings: [],
  }),
  generate: ({ count }: Asked<"generate">) => ({
    pictures: Array.from({ length: count }, () => PNG),
    unknownWords: [],
  }),
  reconstruct: ({ identities }: Asked<"reconstruct">) => ({
    target: PNG,
    visible: PNG,
    made: identities.map(({ id }) => ({ id, picture: PNG, l1: 0.1 })),
  }),
  landmarks: () => ({ landmarks: Array.from({ length: 136 }, (_, i) => i) }),
  attention: ({ photos, block = 2 }: Asked<"attention">) => ({
    block,
    side: 7,
    placed: 0.5,
    photos: photos.map(({ name }) => ({ photo: name, crop: PNG, maps: [[1]] })),
    queries: [{ query: 0, entropy: 0.5, spread: 0.1, part: "nose", place: [0, 0.5] }],
  }),
};
