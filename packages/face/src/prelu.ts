import {
  bytesField,
  type Field,
  FLOAT,
  fieldsOf,
  GRAPH,
  INITIALIZER,
  NODE,
  TENSOR,
  wholeField,
} from "./onnx-fields.ts";

/** Field numbers of onnx.proto: of NodeProto and AttributeProto. */
const NODE_FIELDS = { input: 1, output: 2, name: 3, operator: 4, attribute: 5 } as const;
const ATTRIBUTE = { name: 1, whole: 3, type: 20 } as const;
/** AttributeProto's INT. */
const WHOLE = 2;

/**
 * An ONNX model whose PReLUs of one slope a channel are said by what ONNX Runtime computes fast on a processor:
 * `relu(x) − slope · relu(−x)`, the products as convolutions of one pixel and one channel, which it joins with the sum
 * and keeps in the layout of the convolutions around. One of the two terms is zero, so the values are the same to the
 * last bit; the default recogniser takes two thirds of the time. A PReLU of another form stays as it is.
 */
export function withoutPRelu(model: Uint8Array): Uint8Array {
  return rewritten(model, 0, model.length, (field) =>
    field.number === GRAPH ? [bytesField(GRAPH, rewriteGraph(model, field))] : undefined,
  );
}

function rewriteGraph(model: Uint8Array, graph: Field): Uint8Array {
  const slopes = new Map<string, Float32Array>();
  for (const field of fieldsOf(model, graph.from, graph.to)) {
    if (field.number !== INITIALIZER) continue;
    const { name, values } = channelSlopes(model, field);
    if (values) slopes.set(name, values);
  }
  return rewritten(model, graph.from, graph.to, (field) => {
    if (field.number !== NODE) return undefined;
    const { operator, inputs, output } = readNode(model, field);
    const slope = slopes.get(inputs[1]);
    return operator === "PRelu" && slope ? spelledOut(inputs[0], slope, output) : undefined;
  });
}

/** A message with some fields replaced. */
function rewritten(
  bytes: Uint8Array,
  from: number,
  to: number,
  replace: (field: Field) => readonly Uint8Array[] | undefined,
): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const field of fieldsOf(bytes, from, to)) {
    parts.push(...(replace(field) ?? [bytes.subarray(field.start, field.to)]));
  }
  return Buffer.concat(parts);
}

function readNode(model: Uint8Array, node: Field) {
  const [inputs, outputs]: [string[], string[]] = [[], []];
  let operator = "";
  for (const { number, from, to } of fieldsOf(model, node.from, node.to)) {
    const text = () => Buffer.from(model.subarray(from, to)).toString();
    if (number === NODE_FIELDS.input) inputs.push(text());
    if (number === NODE_FIELDS.output) outputs.push(text());
    if (number === NODE_FIELDS.operator) operator = text();
  }
  return { operator, inputs, output: outputs[0] };
}

/** The values of a stored tensor `[C, 1, 1]` of float32; of any other no values. */
function channelSlopes(model: Uint8Array, tensor: Field): { name: string; values?: Float32Array } {
  const dims: number[] = [];
  let [name, type, raw]: [string, number, Uint8Array] = ["", 0, new Uint8Array()];
  for (const { number, value, from, to } of fieldsOf(model, tensor.from, tensor.to)) {
    // Repeated whole numbers stand one by one, or packed; sizes below 128 take a byte, and larger ones are read so too.
    if (number === TENSOR.dims) dims.push(...(to > from ? packed(model, from, to) : [value]));
    if (number === TENSOR.type) type = value;
    if (number === TENSOR.name) name = Buffer.from(model.subarray(from, to)).toString();
    if (number === TENSOR.raw) raw = model.slice(from, to);
  }
  const fits = type === FLOAT && dims.length === 3 && dims[1] === 1 && dims[2] === 1 && raw.length === 4 * dims[0];
  return { name, ...(fits && { values: new Float32Array(Uint8Array.from(raw).buffer) }) };
}

function packed(model: Uint8Array, from: number, to: number): number[] {
  const values: number[] = [];
  for (let [at, value, scale] = [from, 0, 1]; at < to; at++) {
    value += (model[at] & 127) * scale;
    scale *= 128;
    if (model[at] > 127) continue;
    values.push(value);
    [value, scale] = [0, 1];
  }
  return values;
}

function spelledOut(input: string, slope: Float32Array, output: string): Uint8Array[] {
  const name = (part: string) => `${output}/prelu/${part}`;
  const channels = slope.length;
  const each = bytesField(
    NODE_FIELDS.attribute,
    ...[bytesField(ATTRIBUTE.name, "group"), wholeField(ATTRIBUTE.whole, channels), wholeField(ATTRIBUTE.type, WHOLE)],
  );
  return [
    storedKernel(name("minus"), new Float32Array(channels).fill(-1)),
    storedKernel(
      name("slope"),
      slope.map((value) => -value),
    ),
    node("Relu", [input], name("above")),
    node("Conv", [input, name("minus")], name("turned"), each),
    node("Relu", [name("turned")], name("below")),
    node("Conv", [name("below"), name("slope")], name("scaled"), each),
    node("Add", [name("scaled"), name("above")], output),
  ];
}

const node = (operator: string, inputs: readonly string[], output: string, ...attributes: readonly Uint8Array[]) =>
  bytesField(
    NODE,
    ...inputs.map((input) => bytesField(NODE_FIELDS.input, input)),
    bytesField(NODE_FIELDS.output, output),
    bytesField(NODE_FIELDS.name, output),
    bytesField(NODE_FIELDS.operator, operator),
    ...attributes,
  );

/** `[C, 1, 1, 1]`: one weight a channel. */
const storedKernel = (name: string, values: Float32Array) =>
  bytesField(
    INITIALIZER,
    ...[values.length, 1, 1, 1].map((size) => wholeField(TENSOR.dims, size)),
    wholeField(TENSOR.type, FLOAT),
    bytesField(TENSOR.name, name),
    bytesField(TENSOR.raw, new Uint8Array(values.buffer)),
  );
