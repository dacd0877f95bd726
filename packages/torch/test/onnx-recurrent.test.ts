import { Generator, randn, type Tensor, tensor } from "@omni-id/torch";
import { type Case, checkCases } from "./onnx-case.ts";
import { float } from "./onnx-graph.ts";

const generator = new Generator(9);
const normal = (...shape: number[]) => randn(shape, { generator }).mul(0.6);
const [steps, batch, inputs, hidden] = [4, 3, 2, 3];
const GATES: Readonly<Record<string, number>> = { RNN: 1, GRU: 3, LSTM: 4 };

/** X, W, R, B, lengths (stored), initial states, peepholes. */
function recurrent(
  op: string,
  attributes: Case["attributes"] = {},
  more: { lengths?: boolean; full?: boolean } = {},
): Case {
  const directions = attributes.direction === "bidirectional" ? 2 : 1;
  const gates = GATES[op];
  const states = (): Tensor => normal(directions, batch, hidden);
  const all = [
    normal(steps, batch, inputs),
    normal(directions, gates * hidden, inputs),
    normal(directions, gates * hidden, hidden),
    ...(more.full ? [normal(directions, 2 * gates * hidden)] : []),
  ];
  const lengths = tensor(more.lengths ? [4, 2, 1] : [4, 4, 4], { dtype: "int32" });
  const further = more.full ? [states(), ...(op === "LSTM" ? [states(), normal(directions, 3 * hidden)] : [])] : [];
  return {
    op,
    inputs: [...all, ...further],
    stored: more.full ? { 4: lengths } : {},
    attributes: { hidden_size: hidden, ...attributes },
    outputs: op === "LSTM" ? 3 : 2,
    opset: 14,
    gradient: true,
  };
}

checkCases(
  ["RNN", "GRU", "LSTM"]
    .flatMap((op) => [
      recurrent(op),
      recurrent(op, {}, { full: true }),
      recurrent(op, {}, { full: true, lengths: true }),
      recurrent(op, { direction: "reverse" }, { full: true, lengths: true }),
      recurrent(op, { direction: "bidirectional" }, { full: true, lengths: true }),
      recurrent(op, { clip: float(0.3) }),
    ])
    .concat([
      recurrent("GRU", { linear_before_reset: 1 }, { full: true }),
      recurrent("GRU", { linear_before_reset: 1, direction: "bidirectional" }, { full: true, lengths: true }),
      recurrent("LSTM", { input_forget: 1 }, { full: true }),
      recurrent("RNN", { activations: ["Softsign"] }),
      recurrent("LSTM", {
        activations: ["HardSigmoid", "ScaledTanh", "LeakyRelu"],
        activation_alpha: { floats: [0.3, 1.2, 0.1] },
        activation_beta: { floats: [0.4, 0.8] },
      }),
    ]),
);
