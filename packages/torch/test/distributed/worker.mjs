// A rank of the tests of distributed.test.ts: `worker.mjs CASE RANK SIZE STORE [ARGUMENT]`, its result as a line of JSON.
import {
  cat,
  checkpoint,
  distributed,
  full,
  manualSeed,
  nn,
  ones,
  optim,
  randn,
  scope,
  setNumThreads,
  tensor,
} from "../../dist/index.js";

const [name, rankText, sizeText, file, argument] = process.argv.slice(2);
const [rank, size] = [Number(rankText), Number(sizeText)];
setNumThreads(1);
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
/** The group of this case; by the environment where the store is called so. */
const open = (options = {}) => {
  const place = file === "environment" ? {} : { rank, worldSize: size, store: { file } };
  return distributed.init({ ...place, timeout: 60, joining: 120, grace: 2, ...options });
};
const failureOf = async (work) => {
  try {
    await work();
    return "";
  } catch (error) {
    return error.message;
  }
};

/** A network with all that is awkward: tied weights, a block used in two checkpoints, unused and frozen parameters. */
class Network extends nn.Module {
  embed = new nn.Linear({ in: 6, out: 8 });
  block = new nn.Linear({ in: 8, out: 8 });
  never = new nn.Linear({ in: 8, out: 8 });
  sometimes = new nn.Linear({ in: 8, out: 8 });
  frozen = new nn.Linear({ in: 8, out: 8 });
  head = new nn.Linear({ in: 8, out: 6, bias: false });

  constructor() {
    super();
    this.frozen.requiresGrad_(false);
  }

  forward(x, extra) {
    const hidden = this.embed.forward(x);
    const once = checkpoint((h) => this.block.forward(h).tanh(), [hidden]);
    const twice = checkpoint((h) => this.block.forward(h).tanh(), [once]);
    const used = extra ? twice.add(this.sometimes.forward(twice)) : twice;
    // The embedding's matrix once more, transposed: tied.
    return this.head.forward(this.frozen.forward(used)).add(used.matmul(this.embed.weight));
  }
}

/** Five steps on a batch of 12 rows of which this rank takes its share; row by row the network may use a part or not. */
function trainNetwork(
  group,
  { dtype, accumulate = 1, sharded = false, bucketBytes = 300, steps = 5, state, from = 0 },
) {
  manualSeed(3 + (state ? rank : 0)); // another start on each rank: rank 0's is given to all
  const network = new Network().to({ dtype });
  if (state) network.loadStateDict(state.weights);
  const parallel = group ? new distributed.DataParallel(group, network, { bucketBytes }) : undefined;
  const trained = network.parameters().filter((parameter) => parameter.requiresGrad);
  const make = (params) => new optim.AdamW(params, { lr: 0.01, weightDecay: 0.1 });
  const optimiser = sharded ? new distributed.ShardedOptimiser(group, trained, make) : make(trained);
  if (state) optimiser.loadStateTensors(state.optimiser);
  const losses = [];
  for (let step = from; step < from + steps; step++) {
    scope(() => {
      manualSeed(100 + step);
      const [x, y] = [randn([12, 6]).to(dtype), randn([12, 6]).to(dtype)];
      const [ranks, place] = group ? [group.worldSize, group.rank] : [1, 0];
      const share = 12 / ranks / accumulate;
      const run = (part) => {
        const rows = { start: (place * accumulate + part) * share, end: (place * accumulate + part + 1) * share };
        // Even steps: the lower half of the batch uses the extra layer, so that with two ranks only one does.
        const [mine, goal] = [x.at(rows), y.at(rows)];
        const lower = Math.max(0, Math.min(share, 6 - rows.start));
        const parts = [];
        if (lower > 0) parts.push(network.forward(mine.at({ start: 0, end: lower }), step % 2 === 0));
        if (lower < share) parts.push(network.forward(mine.at({ start: lower, end: share }), false));
        const loss = cat(parts, 0).sub(goal).square().mean().div(accumulate);
        loss.backward();
        losses.push(loss.item());
      };
      const alone = (fn) => (parallel ? parallel.noSync(fn) : fn());
      for (let part = 0; part < accumulate - 1; part++) alone(() => run(part));
      run(accumulate - 1);
      optimiser.step();
      optimiser.zeroGrad();
    });
  }
  return { network, optimiser, parallel, losses };
}

const numbers = (network) =>
  Object.fromEntries([...network.stateDict()].map(([key, value]) => [key, [...value.toTypedArray()]]));

const cases = {
  async collectives() {
    const group = await open();
    const sum = await group.allReduce(full([3], rank + 1));
    const mean = await group.allReduce(full([2], rank + 1), { reduction: "mean" });
    const most = await group.allReduce(tensor([rank, -rank]), { reduction: "max" });
    const told = await group.broadcast(full([2], rank), { from: 1 });
    const all = await group.allGather(tensor([rank, 7]));
    const rows = tensor([...Array(size).keys()].map((row) => [row, rank]));
    const own = await group.reduceScatter(rows, { reduction: "sum" });
    // Asked for together, without waiting in between; the event loop goes on meanwhile.
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    if (rank === 0) await new Promise((resolve) => setTimeout(resolve, 200));
    const many = await Promise.all([1, 2, 3].map((i) => group.allReduce(full([1], i * (rank + 1)))));
    clearInterval(timer);
    await group.close();
    const closed = await failureOf(() => group.barrier());
    const list = (tensors) => tensors.map((one) => one.tolist());
    say({ values: list([sum, mean, most, told, own]), all: list(all), many: list(many), turns, closed });
  },

  async mismatch() {
    const group = await open();
    const shapes = await failureOf(() => group.allReduce(ones(rank === 1 ? [2, 3] : [3, 2]), { what: "weights" }));
    const calls = await failureOf(() => (rank === 1 ? group.barrier() : group.broadcast(ones([1]))));
    const dtypes = await failureOf(() => group.allGather(ones([2], { dtype: rank === 1 ? "float64" : "float32" })));
    const strided = await failureOf(() => group.allReduce(ones([2, 3]).t()));
    const modules = await failureOf(async () => {
      new distributed.DataParallel(group, new nn.Linear({ in: 2, out: rank === 1 ? 3 : 4 }));
    });
    const after = (await group.allReduce(ones([1]))).tolist();
    await group.close();
    say({ shapes, calls, dtypes, strided, modules, after });
  },

  async parallel() {
    const options = JSON.parse(argument);
    const group = size > 1 ? await open() : undefined;
    const { network, optimiser, parallel, losses } = trainNetwork(group, options);
    const state = optimiser.stateTensors();
    await group?.close();
    const optimiserState = Object.fromEntries(
      [...state].map(([key, value]) => [key, [...value.toTypedArray()].map(Number)]),
    );
    say({ weights: numbers(network), state: optimiserState, losses, statistics: parallel?.statistics });
  },

  /** Trains on this many ranks, with the state of a sharded optimiser from a run of another number. */
  async goOn() {
    const group = await open();
    const { weights, state } = JSON.parse(argument);
    const like = new Network().to({ dtype: "float64" });
    const tensors = new Map(
      [...like.stateDict()].map(([key, value]) => [
        key,
        tensor(weights[key], { dtype: "float64" }).view([...value.shape]),
      ]),
    );
    const trained = like.parameters().filter((parameter) => parameter.requiresGrad);
    const optimiserState = new Map(
      Object.entries(state).map(([key, values]) => {
        const counts = key.endsWith("step"); // of all, and of each parameter
        const shape = counts ? [] : trained[Number.parseInt(key, 10)].shape;
        return [key, tensor(values, { dtype: counts ? "int64" : "float64" }).view([...shape])];
      }),
    );
    const begun = { weights: tensors, optimiser: optimiserState };
    const { network } = trainNetwork(group, { dtype: "float64", sharded: true, steps: 3, from: 5, state: begun });
    await group.close();
    say({ weights: numbers(network) });
  },

  /** Reduces again and again; the test ends or stops rank 1 on the way. */
  async leave() {
    const group = await open({ timeout: 6 });
    say({ ready: process.pid });
    const message = await failureOf(async () => {
      for (;;) {
        await group.allReduce(ones([1000]), { what: "a thousand ones" });
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    });
    say({ message, again: await failureOf(() => group.barrier()) });
    process.exit(3);
  },

  /** A megabyte, again and again: over a slow link, or one that is cut on the way. */
  async link() {
    const group = await open({ timeout: 8 });
    const message = await failureOf(async () => {
      for (let round = 1; round <= Number(argument); round++) {
        const sum = await group.allReduce(full([250_000], group.rank + 1), { what: "a megabyte" });
        if (sum.sum().item() !== 750_000) throw new Error("a wrong sum");
        say({ round });
      }
      await group.close();
    });
    say({ message });
    process.exit(0);
  },

  /** Rank 1 lives, but is late. */
  async late() {
    const group = await open({ timeout: 2 });
    await group.barrier({ what: "all are here" });
    if (rank === 1) await new Promise((resolve) => setTimeout(resolve, 6000));
    say({ message: await failureOf(() => group.allReduce(ones([1]), { what: "the late one" })) });
    process.exit(3);
  },

  async lonely() {
    say({ message: await failureOf(() => open({ joining: 1 })) });
  },

  async sameRank() {
    const [first, second] = await Promise.all([0, 0].map(() => failureOf(() => open({ rank: 0, joining: 1 }))));
    say({ messages: [first, second] });
  },

  async environment() {
    const group = await distributed.init({ timeout: 30, joining: 60 });
    const value = (await group.allReduce(tensor([group.rank + 1]))).tolist();
    await group.close();
    say({
      value,
      rank: group.rank,
      threads: process.env.OMP_NUM_THREADS,
      attempt: process.env.TORCHELASTIC_RESTART_COUNT,
    });
    const failing = process.env.FAIL_AT_ATTEMPT;
    if (failing === process.env.TORCHELASTIC_RESTART_COUNT && group.rank === 1) process.exit(9);
    process.disconnect?.();
  },

  /** A rank whose backward throws must not leave the others with half a sum. */
  async broken() {
    const group = await open({ timeout: 3 });
    const layers = [new nn.Linear({ in: 4, out: 4 }), new nn.Linear({ in: 4, out: 4 })];
    class Pair extends nn.Module {
      layers = layers;
    }
    new distributed.DataParallel(group, new Pair(), { bucketBytes: 8 });
    const message = await failureOf(async () => {
      const first = layers[0].forward(ones([2, 4]));
      const middle = checkpoint(
        (x) => {
          if (rank === 1 && first.requiresGrad && middleCalls++ > 0) throw new Error("out of luck");
          return x.mul(2);
        },
        [first],
      );
      layers[1].forward(middle).sum().backward();
    });
    const again =
      rank === 1
        ? await failureOf(async () =>
            layers[1]
              .forward(ones([2, 4]))
              .sum()
              .backward(),
          )
        : "";
    say({ message, again });
    process.exit(3);
  },
};
let middleCalls = 0;

await cases[name]();
