import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { crc32c, EventFile } from "../src/train/tensorboard.ts";

describe("crc32c", () => {
  it("agrees with RFC 3720, B.4", () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
    expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  });
});

describe("EventFile", () => {
  it("writes records with valid checksums, steps and values", () => {
    const folder = mkdtempSync(join(tmpdir(), "events-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = new EventFile(folder, { time: 1_700_000_000_000 });
    file.scalars(300, { "train/loss": 0.5, "train/gap": -2 }, { time: 1_700_000_000_500 });
    file.close();

    const data = readFileSync(file.path);
    const unmask = (crc: number) => {
      const rotated = (crc - 0xa282ead8) >>> 0;
      return ((rotated >>> 17) | (rotated << 15)) >>> 0;
    };
    const events: Buffer[] = [];
    for (let at = 0; at < data.length; ) {
      const length = Number(data.readBigUInt64LE(at));
      expect(unmask(data.readUInt32LE(at + 8))).toBe(crc32c(data.subarray(at, at + 8)));
      const event = data.subarray(at + 12, at + 12 + length);
      expect(unmask(data.readUInt32LE(at + 12 + length))).toBe(crc32c(event));
      events.push(event);
      at += 16 + length;
    }
    expect(events).toHaveLength(2);
    expect(events[0].toString("latin1")).toContain("brain.Event:2");
    // field 1, 64 bit: time; field 2, varint: 300 = 0xac 0x02
    expect(events[1][0]).toBe(0x09);
    expect(events[1].readDoubleLE(1)).toBe(1_700_000_000.5);
    expect([...events[1].subarray(9, 12)]).toEqual([0x10, 0xac, 0x02]);
    const tag = events[1].indexOf("train/gap");
    expect(events[1].readFloatLE(tag + "train/gap".length + 1)).toBe(-2);
  });
});
