import { zeros } from "../factories.ts";
import * as F from "../functional.ts";
import { cat, stack, where } from "../functions.ts";
import type { Tensor } from "../tensor.ts";
import { type NodeContext, type OperatorTable, obeying } from "./node-context.ts";

type Activation = (x: Tensor) => Tensor;

/** The standard's activations of recurrent networks, with their own defaults for alpha and beta. */
const ACTIVATIONS: Readonly<Record<string, { defaults: number[]; of: (...n: number[]) => Activation }>> = {
  relu: { defaults: [], of: () => (x) => x.relu() },
  tanh: { defaults: [], of: () => (x) => x.tanh() },
  sigmoid: { defaults: [], of: () => (x) => x.sigmoid() },
  softsign: { defaults: [], of: () => (x) => x.div(x.abs().add(1)) },
  softplus: { defaults: [], of: () => (x) => F.softplus(x) },
  leakyrelu: { defaults: [0.01], of: (a) => (x) => F.leakyRelu(x, a) },
  thresholdedrelu: { defaults: [1], of: (a) => (x) => x.mul(x.ge(a).to(x.dtype)) },
  elu: { defaults: [1], of: (a) => (x) => F.elu(x, a) },
  affine: { defaults: [1, 0], of: (a, b) => (x) => x.mul(a).add(b) },
  scaledtanh: { defaults: [1, 1], of: (a, b) => (x) => x.mul(b).tanh().mul(a) },
  hardsigmoid: { defaults: [0.2, 0.5], of: (a, b) => (x) => x.mul(a).add(b).clamp(0, 1) },
};

/** Numbers are handed out in the order of the activations that take them. */
function activationsOf(context: NodeContext, usual: readonly string[], directions: number): Activation[] {
  const names = context.texts("activations") ?? Array.from({ length: directions }, () => usual).flat();
  const [alphas, betas] = [context.list("activation_alpha", []), context.list("activation_beta", [])];
  let [a, b] = [0, 0];
  return names.map((name) => {
    const known = ACTIVATIONS[name.toLowerCase()];
    if (!known) throw new Error(`activation ${name} is not supported`);
    const [alpha, beta] = known.defaults;
    const values = [alpha === undefined ? [] : (alphas[a++] ?? alpha), beta === undefined ? [] : (betas[b++] ?? beta)];
    return known.of(...values.flat());
  });
}

/** One direction's weights: `[gates·H, I]`, `[gates·H, H]`, biases `[gates·H]`, and what is particular to a cell. */
interface Weights {
  input: Tensor;
  recurrent: Tensor;
  inputBias: Tensor | undefined;
  recurrentBias: Tensor | undefined;
  peepholes: Tensor | undefined;
}
/** States `[B, H]`: what goes out, and for an LSTM what it keeps. */
type State = [Tensor] | [Tensor, Tensor];

interface Cell {
  gates: number;
  activations: readonly string[];
  /** @param x `[B, gates·H]`, the input's product with its weight and its bias */
  step(x: Tensor, state: State, weights: Weights, f: readonly Activation[], context: NodeContext): State;
}

const part = (x: Tensor, i: number, size: number): Tensor => x.narrow(-1, i * size, size);
const plus = (x: Tensor, y: Tensor | undefined): Tensor => (y ? x.add(y) : x);
const bounded = (context: NodeContext, x: Tensor): Tensor => {
  const limit = context.number("clip", 0);
  return limit > 0 ? x.clamp(-limit, limit) : x;
};

const rnn: Cell = {
  gates: 1,
  activations: ["Tanh"],
  step: (x, [h], { recurrent, recurrentBias }, [f], context) => [
    f(bounded(context, plus(x.add(h.matmul(recurrent.t())), recurrentBias))),
  ],
};

/** Gates in the order z, r, h. */
const gru: Cell = {
  gates: 3,
  activations: ["Sigmoid", "Tanh"],
  step(x, [h], { recurrent, recurrentBias }, [f, g], context) {
    const size = h.shape[1];
    const linear = context.flag("linear_before_reset");
    const own = plus(h.matmul(recurrent.t()), recurrentBias);
    const gate = (i: number) => f(bounded(context, part(x, i, size).add(part(own, i, size))));
    const [z, r] = [gate(0), gate(1)];
    const bias = recurrentBias && part(recurrentBias, 2, size);
    const reset = linear
      ? r.mul(part(own, 2, size))
      : plus(r.mul(h).matmul(recurrent.narrow(0, 2 * size, size).t()), bias);
    const candidate = g(bounded(context, part(x, 2, size).add(reset)));
    return [candidate.add(z.mul(h.sub(candidate)))];
  },
};

/** Gates in the order i, o, f, c; peepholes in the order i, o, f. */
const lstm: Cell = {
  gates: 4,
  activations: ["Sigmoid", "Tanh", "Tanh"],
  step(x, [h, kept], { recurrent, recurrentBias, peepholes }, [f, g, out], context) {
    const size = h.shape[1];
    const c = kept as Tensor;
    const sums = plus(x.add(h.matmul(recurrent.t())), recurrentBias);
    const seen = (i: number, state: Tensor) =>
      bounded(context, plus(part(sums, i, size), peepholes && part(peepholes, i, size).mul(state)));
    const input = f(seen(0, c));
    const forget = context.flag("input_forget") ? input.neg().add(1) : f(seen(2, c));
    const next = forget.mul(c).add(input.mul(g(bounded(context, part(sums, 3, size)))));
    return [f(seen(1, next)).mul(out(next)), next];
  },
};

const pick = (context: NodeContext, place: number, direction: number): Tensor | undefined =>
  context.optional(place)?.narrow(0, direction, 1).squeeze(0);

/** One direction over `[T, B, I]`: all outputs `[T, B, H]` and the last states. */
function runDirection(context: NodeContext, cell: Cell, x: Tensor, direction: number, f: readonly Activation[]) {
  const [steps, batch] = x.shape;
  const weight = pick(context, 1, direction) as Tensor;
  const recurrent = pick(context, 2, direction) as Tensor;
  const size = recurrent.shape[1];
  const bias = pick(context, 3, direction);
  const half = cell.gates * size;
  const weights: Weights = {
    input: weight,
    recurrent,
    inputBias: bias?.narrow(0, 0, half),
    recurrentBias: bias?.narrow(0, half, half),
    peepholes: cell === lstm ? pick(context, 7, direction) : undefined,
  };
  const zero = zeros([batch, size], { dtype: x.dtype, device: x.device });
  // With layout 1 the batch comes first, in the initial states too: [B, D, H].
  const dimension = context.number("layout", 0);
  const first = (place: number) =>
    context.optional(place)?.narrow(dimension, direction, 1).squeeze(dimension).expand([batch, size]) ?? zero;
  let state: State = cell === lstm ? [first(5), first(6)] : [first(5)];
  const products = plus(x.matmul(weights.input.t()), weights.inputBias);
  const lengths = context.optional(4);
  const outputs = new Array<Tensor>(steps);
  const backwards = context.text("direction", "forward") === "reverse" || direction === 1;
  for (let i = 0; i < steps; i++) {
    const t = backwards ? steps - 1 - i : i;
    const next = cell.step(products.narrow(0, t, 1).squeeze(0), state, weights, f, context);
    if (lengths) {
      // After its end a sequence gives zeros and keeps its states; backwards it begins at its end.
      const running = lengths.gt(t).unsqueeze(1);
      outputs[t] = where(running, next[0], zero);
      state = next.map((value, k) => where(running, value, state[k] as Tensor)) as State;
    } else {
      outputs[t] = next[0];
      state = next;
    }
  }
  return { outputs: stack(outputs, 0), state };
}

function recurrent(cell: Cell) {
  return (context: NodeContext): Tensor[] => {
    const batchFirst = context.number("layout", 0) === 1;
    const given = context.input(0);
    const x = batchFirst ? given.transpose(0, 1) : given;
    const directions = context.input(1).shape[0];
    const each = activationsOf(context, cell.activations, directions);
    const runs = Array.from({ length: directions }, (_, i) =>
      runDirection(context, cell, x, i, each.slice(i * cell.activations.length)),
    );
    const outputs = stack(
      runs.map((run) => run.outputs),
      1,
    ); // [T, D, B, H]
    const last = (k: number) => {
      const states = cat(runs.map(({ state }) => (state[k] as Tensor).unsqueeze(0)));
      return batchFirst ? states.transpose(0, 1) : states;
    };
    const all = batchFirst ? outputs.permute([2, 0, 1, 3]) : outputs;
    return cell === lstm ? [all, last(0), last(1)] : [all, last(0)];
  };
}

const shared = "activation_alpha activation_beta activations clip direction hidden_size layout";

/** Recurrent networks, step by step on differentiable operators. */
export const recurrentOperators: OperatorTable = {
  RNN: obeying(shared, recurrent(rnn)),
  GRU: obeying(`${shared} linear_before_reset`, recurrent(gru)),
  LSTM: obeying(`${shared} input_forget`, recurrent(lstm)),
};
