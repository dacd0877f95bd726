import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mapTensorFile } from "@omni-id/torch";
import { afterAll, beforeAll, expect, test } from "vitest";

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "omni-id-map-"));
  file = join(folder, "numbers.bin");
  const bytes = Buffer.alloc(8192);
  for (let i = 0; i < 2048; i++) bytes.writeFloatLE(i, 4 * i);
  bytes.writeFloatLE(2.5, 4097); // a float at an odd offset
  writeFileSync(file, bytes);
});
afterAll(() => rmSync(folder, { recursive: true }));

test("maps elements at any offset, on page boundaries and off them", () => {
  expect(mapTensorFile(file, { byteOffset: 0, dtype: "float32", shape: [2, 2] }).tolist()).toEqual([
    [0, 1],
    [2, 3],
  ]);
  expect(mapTensorFile(file, { byteOffset: 400, dtype: "float32", shape: [2] }).tolist()).toEqual([100, 101]);
  expect(mapTensorFile(file, { byteOffset: 8188, dtype: "float32", shape: [1] }).tolist()).toEqual([2047]);
  expect(mapTensorFile(file, { byteOffset: 4097, dtype: "float32", shape: [1] }).tolist()).toEqual([2.5]);
  expect(mapTensorFile(file, { byteOffset: 8192, dtype: "float32", shape: [0, 3] }).shape).toEqual([0, 3]);
});

test("a view keeps the mapping, and writing never reaches the file", () => {
  const whole = mapTensorFile(file, { byteOffset: 0, dtype: "float32", shape: [1024] });
  const part = whole.slice(0, 10, 12);
  whole.dispose();
  part.add_(1);
  expect(part.tolist()).toEqual([11, 12]);
  expect(readFileSync(file).readFloatLE(40)).toBe(10);
});

test("bytes outside the file and files that are not there are errors with the path", () => {
  expect(() => mapTensorFile(file, { byteOffset: 8190, dtype: "float32", shape: [1] })).toThrow(
    `${file}: bytes 8190 to 8194 lie outside the file`,
  );
  expect(() => mapTensorFile(file, { byteOffset: -4, dtype: "float32", shape: [1] })).toThrow("outside the file");
  expect(() => mapTensorFile(file, { byteOffset: 0, dtype: "float32", shape: [2 ** 40, 2 ** 40] })).toThrow(
    "too large",
  );
  expect(() => mapTensorFile(join(folder, "none"), { byteOffset: 0, dtype: "float32", shape: [1] })).toThrow(
    "cannot be opened: No such file",
  );
});
