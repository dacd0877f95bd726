import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { Generator, heapBytes, liveTensors, manualSeed, randn } from "@omni-id/torch";
import { describe, expect, test } from "vitest";
import { sanitized } from "./sanitized.ts";

// Workers load the compiled package: Node's threads do not read TypeScript.
const dist = new URL("../dist/index.js", import.meta.url).href;

/** A worker that runs `body`, with the package as `t` and messages sent by `post`. */
function start(body: string): Worker {
  const code = `
    const { parentPort } = require("node:worker_threads");
    const post = (value) => parentPort.postMessage(value);
    import(${JSON.stringify(dist)}).then((t) => {${body}}).catch((error) => post({ error: error.stack }));
  `;
  return new Worker(code, { eval: true });
}
async function answer(worker: Worker): Promise<unknown> {
  const [[message]] = (await Promise.all([once(worker, "message"), once(worker, "exit")])) as [[unknown], unknown];
  return message;
}

/** Some training steps through fused operators and a checkpoint; `loss` is the last one. */
const TRAIN = `
  const generator = new t.Generator(3);
  const [up, down] = [new t.nn.Linear({ in: 8, out: 32, generator }), new t.nn.Linear({ in: 32, out: 8, generator })];
  const norm = new t.nn.LayerNorm({ size: 8 });
  const optimiser = new t.optim.AdamW([up, down, norm].flatMap((layer) => layer.parameters()), { lr: 0.01 });
  const x = t.randn([16, 8], { generator }).keep();
  let loss = 0;
  const step = () => t.scope(() => {
    const y = t.checkpoint((z) => down.forward(t.F.biasGelu(up.forward(z), up.bias)), [norm.forward(x)]);
    const error = y.sub(x).square().mean();
    error.backward();
    optimiser.step();
    optimiser.zeroGrad();
    return error.item();
  });
`;

describe("worker threads", () => {
  test("train beside each other, each with tensors of its own, and with the same losses as alone", async () => {
    const body = `${TRAIN} for (let i = 0; i < 20; i++) loss = step(); post({ loss, live: t.liveTensors() });`;
    const before = liveTensors();
    const results = await Promise.all([start(body), start(body), start(body)].map(answer));
    const alone = await answer(start(body));
    expect(results).toEqual([alone, alone, alone]);
    expect((alone as { loss: number }).loss).toBeGreaterThan(0);
    expect(liveTensors()).toBe(before);
  });

  test("may be ended at any moment, in the middle of training too; others go on, and their memory is given back", async () => {
    const x = randn([4], { generator: new Generator(1) });
    const expected = x.tolist();
    const forEver = `${TRAIN}
      const shared = new Float32Array(1 << 18); // 1 MiB
      const kept = t.fromTypedArray(shared, [shared.length], { copy: false }).keep();
      const pending = t.checkpoint((z) => z.mul(2), [t.randn([1 << 18]).requiresGrad_()]); // a graph that stays
      step();
      post("started");
      for (;;) step();
    `;
    const round = async () => {
      const workers = [start(forEver), start(forEver)];
      for (const message of await Promise.all(workers.map((worker) => once(worker, "message"))))
        expect(message).toEqual(["started"]);
      await Promise.all(workers.map((worker) => worker.terminate()));
    };
    await round();
    const before = heapBytes();
    for (let i = 0; i < 6; i++) await round();
    if (!sanitized) expect(heapBytes() - before).toBeLessThan(6 * 2 * 2 ** 20); // each round holds 2 × 3 MiB while it runs
    expect(x.tolist()).toEqual(expected);
    manualSeed(4);
    expect(x.mul(2).sub(x).sub(x).abs().sum().item()).toBe(0);
  });

  test("may be ended in the middle of reading a list too, when Node-API begins to refuse", async () => {
    const lists = `
      const [y, order] = [t.zeros([2, 3]).keep(), [1, 0]];
      post("started");
      for (;;) t.scope(() => { for (let i = 0; i < 50; i++) y.permute(order); });
    `;
    for (let i = 0; i < 40; i++) {
      const worker = start(lists);
      await once(worker, "message");
      await setTimeout(10 + i); // until it does nothing else
      await worker.terminate();
    }
    expect(randn([2], { generator: new Generator(1) }).shape).toEqual([2]);
  });

  test("one that throws says what, and its checkpoint's function may throw there", async () => {
    const thrown = (await answer(
      start(`
        const y = t.checkpoint((z) => { if (t.isGradEnabled()) throw new Error("second time"); return z.mul(2); }, [t.randn([2]).requiresGrad_()]);
        let second = 0;
        try { y.sum().backward(); } catch (error) { post(error.message); }
      `),
    )) as string;
    expect(thrown).toContain("second time");
  });
});
