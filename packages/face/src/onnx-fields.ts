/** Field numbers of onnx.proto: of ModelProto, GraphProto and TensorProto; and DataType.FLOAT. */
export const [GRAPH, NODE, INITIALIZER] = [7, 1, 5];
export const TENSOR = { dims: 1, type: 2, name: 8, raw: 9 } as const;
export const FLOAT = 1;

/** A place in a file: the first byte, and the one behind the last. */
export interface Span {
  from: number;
  to: number;
}

/** A field of a protobuf message. */
export interface Field extends Span {
  number: number;
  /** Of a whole number; 0 of everything else. */
  value: number;
  /** Where its tag begins. */
  start: number;
}

/** The messages of one number in a protobuf message. */
export function* messagesOf(bytes: Uint8Array, from: number, to: number, number: number): Generator<Field> {
  for (const field of fieldsOf(bytes, from, to)) if (field.number === number) yield field;
}

/** The fields of a protobuf message: whole numbers with their value, everything else with its place. */
export function* fieldsOf(bytes: Uint8Array, from: number, to: number): Generator<Field> {
  let at = from;
  const varint = () => {
    let [value, scale] = [0, 1];
    for (;;) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (!(byte > 127)) return value;
      scale *= 128;
    }
  };
  while (at < to) {
    const start = at;
    const tag = varint();
    const [number, wire] = [Math.floor(tag / 8), tag % 8];
    if (wire === 0) yield { number, start, value: varint(), from: at, to: at };
    else {
      const length = wire === 2 ? varint() : wire === 5 ? 4 : 8;
      yield { number, start, value: 0, from: at, to: at + length };
      at += length;
    }
  }
}

/** A whole number as a field. */
export const wholeField = (number: number, value: number): Uint8Array =>
  Buffer.concat([varintOf(number * 8), varintOf(value)]);

/** Text, bytes or the parts of a message as a field. */
export function bytesField(number: number, ...parts: readonly (string | Uint8Array)[]): Uint8Array {
  const content = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));
  return Buffer.concat([varintOf(number * 8 + 2), varintOf(content.length), content]);
}

function varintOf(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.of(...bytes, rest);
    bytes.push((rest % 128) + 128);
  }
}
