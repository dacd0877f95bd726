// A training step of residual blocks by one process with all threads, and by two with half of the batch and of the
// threads each; and how much of the gradients' all-reduce backward hides. bench/peers/ddp.py is the same in PyTorch.
// usage: data-parallel.mjs THREADS STEPS → one JSON line
import { fileURLToPath } from "node:url";
import { distributed, F, Generator, manualSeed, nn, optim, randn, scope, setNumThreads, version } from "@omni-id/torch";

const [WIDTH, DEPTH, ROWS, RANKS] = [512, 8, 1024, 2];
const [threads, steps, worker] = [Number(process.argv[2]), Number(process.argv[3]), process.argv[4]];

class Block extends nn.Module {
  norm = new nn.LayerNorm({ size: WIDTH });
  up = new nn.Linear({ in: WIDTH, out: 4 * WIDTH });
  down = new nn.Linear({ in: 4 * WIDTH, out: WIDTH });

  forward(x) {
    return scope(() => x.add(this.down.forward(F.gelu(this.up.forward(this.norm.forward(x))))));
  }
}
class Stack extends nn.Module {
  blocks = Array.from({ length: DEPTH }, () => new Block());

  forward(x) {
    return scope(() => this.blocks.reduce((y, block) => block.forward(y), x));
  }
}

/** Median seconds of a step on `rows` rows, after two that warm up; without a group: alone. */
function measure(rows, group) {
  manualSeed(0);
  const stack = new Stack();
  const parallel = group && new distributed.DataParallel(group, stack);
  const optimiser = new optim.AdamW(stack.parameters());
  const generator = new Generator(1);
  const [x, y] = [randn([rows, WIDTH], { generator }), randn([rows, WIDTH], { generator })];
  const seconds = [];
  for (let step = 0; step < steps + 2; step++) {
    const began = performance.now();
    scope(() => F.mseLoss(stack.forward(x), y).backward());
    optimiser.step();
    optimiser.zeroGrad();
    if (step > 1) seconds.push((performance.now() - began) / 1000);
  }
  return { seconds: seconds.sort((a, b) => a - b)[steps >> 1], ...parallel?.statistics };
}

if (worker) {
  const group = await distributed.init();
  const measured = measure(ROWS / RANKS, group);
  await group.close();
  if (group.rank === 0) console.log(JSON.stringify(measured));
  process.disconnect();
} else {
  setNumThreads(threads);
  const alone = measure(ROWS);
  let together;
  const { code, reason } = await distributed.launch({
    processes: RANKS,
    command: process.execPath,
    args: () => [fileURLToPath(import.meta.url), String(threads / RANKS), String(steps), "worker"],
    threads,
    onLine: (_, line, stream) => {
      if (stream === "stdout") together = JSON.parse(line);
      else process.stderr.write(`${line}\n`);
    },
  });
  if (code !== 0) throw new Error(reason);
  const { seconds, hidden, reducing, waiting, passes, bytes, buckets } = together;
  const exchange = { hidden, reducing: reducing / passes, waiting: waiting / passes, bytes, buckets };
  console.log(JSON.stringify({ aloneSeconds: alone.seconds, seconds, ...exchange, torch: version().libtorch }));
}
