import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writePhotos } from "./pictures.ts";
import { quietRun } from "./quiet-run.ts";

const openModel = fileURLToPath(new URL("fixtures/open-model.mjs", import.meta.url));
const bin = fileURLToPath(new URL("../bin/omni-id.mjs", import.meta.url));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "omni-id-leaves-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe.concurrent("nothing leaves the machine and nothing is left in the home", () => {
  it.each(["main", "worker"])("when the library opens models in the %s thread", async (thread) => {
    const { code, told, files, sockets } = await quietRun([openModel, thread]);
    expect({ code, told, files, sockets }).toEqual({ code: 0, told: "faces: 0\n", files: [], sockets: [] });
  });

  it("when the command line encodes and compares", async () => {
    const photos = await writePhotos(folder, 3, 2);
    const out = join(folder, "person.safetensors");
    const encoded = await quietRun([bin, "encode", ...photos, "-o", out]);
    expect(encoded).toMatchObject({ code: 0, files: [], sockets: [] });
    expect(existsSync(out)).toBe(true);
    const compared = await quietRun([bin, "compare", out, out]);
    expect(compared).toMatchObject({ code: 0, files: [], sockets: [] });
  });
});
