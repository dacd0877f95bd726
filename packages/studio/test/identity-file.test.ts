import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromTypedArray } from "@omni-id/torch";
import { loadIdentity, saveIdentity } from "omni-id";
import { afterAll, describe, expect, it } from "vitest";
import { identityBytes, parseIdentityBytes } from "../src/identity-file.ts";
import { someIdentity } from "./fake-engine.ts";

const folder = mkdtempSync(join(tmpdir(), "omni-id-studio-file-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Numbers of every size, and those half way between two of 16 bits. */
const numbers = Float32Array.from({ length: 4096 }, (_, i) => Math.sin(i) * 2 ** ((i % 42) - 27) * (i % 3 ? 1 : 1.5));
for (let i = 0; i < 64; i++) numbers[i] = (1 + (2 * i + 1) / 2048) * 2 ** (i % 5);
numbers[64] = 0;
numbers[65] = -0;
const identity = { ...someIdentity(3), values: numbers, shape: [32, 128] };

describe("the identity file in memory", () => {
  it("is what saveIdentity writes, byte for byte in its numbers, and readable by either", () => {
    const [ours, theirs] = [join(folder, "ours.safetensors"), join(folder, "theirs.safetensors")];
    const { values, shape, ...notes } = identity;
    saveIdentity(theirs, { ...notes, tokens: fromTypedArray(values, shape) });
    const bytes = identityBytes(identity);
    writeFileSync(ours, bytes);
    const tail = 2 * numbers.length;
    expect(Buffer.from(bytes).subarray(-tail).equals(readFileSync(theirs).subarray(-tail))).toBe(true);
    const read = loadIdentity(ours);
    expect(read.photos).toEqual(identity.photos);
    expect(Array.from(read.tokens.toTypedArray() as Float32Array)).toEqual(
      Array.from(parseIdentityBytes("theirs", readFileSync(theirs)).values),
    );
  });

  it("what is no identity file, or cut off anywhere, is refused by its name", () => {
    const bytes = identityBytes(someIdentity());
    for (let length = 0; length < bytes.length; length += 7) {
      expect(() => parseIdentityBytes("cut", bytes.subarray(0, length))).toThrow(/^cut: /);
    }
    const text = new TextEncoder().encode("no identity at all, but some text");
    expect(() => parseIdentityBytes("text", text)).toThrow(/^text: /);
    const later = Buffer.from(Buffer.from(bytes).toString("latin1").replace("identity/1", "identity/9"), "latin1");
    expect(() => parseIdentityBytes("later", later)).toThrow("newer than this program");
    const nan = Uint8Array.from(bytes);
    nan.set([0xff, 0x7f], bytes.length - 2);
    expect(() => parseIdentityBytes("nan", nan)).toThrow("damaged");
  });
});
