import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manualSeed, nn, randn, scope, type Tensor } from "@omni-id/torch";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DrawnPictures } from "../src/evaluate/drawn-pictures.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "omni-id-drawn-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Asks for pictures, and tells whether they were drawn for it. */
function ask(store: DrawnPictures, values: readonly unknown[], tensors: readonly Tensor[]) {
  let drawn = false;
  const pictures = store.kept(values, tensors, () => {
    drawn = true;
    return randn([2, 3, 4, 4]);
  });
  return { drawn, pictures: pictures.tolist() };
}

describe("DrawnPictures", () => {
  it("draws once what depends on the same, and again what does not", () => {
    manualSeed(3);
    scope(() => {
      const network = new nn.Linear({ in: 2, out: 2 });
      const identity = randn([1, 4]);
      const first = ask(new DrawnPictures(folder, [network]), [{ seed: 1 }], [identity]);
      expect(first.drawn).toBe(true);
      // Another run of the same evaluation.
      const again = ask(new DrawnPictures(folder, [network]), [{ seed: 1 }], [identity.clone()]);
      expect(again).toEqual({ drawn: false, pictures: first.pictures });
      expect(ask(new DrawnPictures(folder, [network]), [{ seed: 2 }], [identity]).drawn).toBe(true);
      expect(ask(new DrawnPictures(folder, [network]), [{ seed: 1 }], [identity.add(1e-3)]).drawn).toBe(true);
      expect(ask(new DrawnPictures(folder, [network]), [{ seed: 1 }], [identity.view([2, 2])]).drawn).toBe(true);
      network.weight.detach().mul_(1.001);
      expect(ask(new DrawnPictures(folder, [network]), [{ seed: 1 }], [identity]).drawn).toBe(true);
      expect(readdirSync(folder)).toHaveLength(5);
    });
  });

  it("keeps nothing without a folder", () => {
    const store = new DrawnPictures(undefined, []);
    scope(() => {
      expect(ask(store, [1], []).drawn).toBe(true);
      expect(ask(store, [1], []).drawn).toBe(true);
    });
  });
});
