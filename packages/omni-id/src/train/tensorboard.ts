import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";

/**
 * Appends scalars to a TensorBoard event file. A record is: length (uint64), masked CRC32C of it, the event
 * (protobuf), masked CRC32C of that. Each write is one whole record: a killed run leaves a readable file.
 */
export class EventFile {
  readonly path: string;
  readonly #file: number;

  constructor(folder: string, { time = Date.now() }: { time?: number } = {}) {
    mkdirSync(folder, { recursive: true });
    this.path = join(folder, `events.out.tfevents.${Math.floor(time / 1000)}.${process.pid}.omni-id`);
    this.#file = openSync(this.path, "a");
    // Event: wall_time = 1, step = 2, file_version = 3, summary = 5
    this.#write(Buffer.concat([double(1, time / 1000), bytes(3, Buffer.from("brain.Event:2"))]));
  }

  scalars(step: number, values: Readonly<Record<string, number>>, { time = Date.now() }: { time?: number } = {}): void {
    const summary = Object.entries(values).map(([tag, value]) =>
      // Summary: value = 1 { tag = 1, simple_value = 2 }
      bytes(1, Buffer.concat([bytes(1, Buffer.from(tag)), float(2, value)])),
    );
    this.#write(Buffer.concat([double(1, time / 1000), integer(2, step), bytes(5, Buffer.concat(summary))]));
  }

  close(): void {
    closeSync(this.#file);
  }

  #write(event: Buffer): void {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(event.length));
    writeSync(this.#file, Buffer.concat([length, maskedCrc(length), event, maskedCrc(event)]));
  }
}

function varint(value: number): Buffer {
  const out: number[] = [];
  let rest = BigInt(value);
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    out.push(rest > 0n ? low | 0x80 : low);
  } while (rest > 0n);
  return Buffer.from(out);
}

const key = (field: number, wire: 0 | 1 | 2 | 5) => varint(field * 8 + wire);
const integer = (field: number, value: number) => Buffer.concat([key(field, 0), varint(value)]);
const bytes = (field: number, value: Buffer) => Buffer.concat([key(field, 2), varint(value.length), value]);

function double(field: number, value: number): Buffer {
  const body = Buffer.alloc(8);
  body.writeDoubleLE(value);
  return Buffer.concat([key(field, 1), body]);
}

function float(field: number, value: number): Buffer {
  const body = Buffer.alloc(4);
  body.writeFloatLE(value);
  return Buffer.concat([key(field, 5), body]);
}

/** Table of CRC-32C (Castagnoli), reflected polynomial 0x82f63b78. */
const crcTable = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
  return c >>> 0;
});

export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = crcTable[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** TensorFlow's mask keeps a CRC of data that holds CRCs from being trivial. */
function maskedCrc(data: Uint8Array): Buffer {
  const crc = crc32c(data);
  const out = Buffer.alloc(4);
  out.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0);
  return out;
}
