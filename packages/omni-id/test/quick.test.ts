import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildInfo, manualSeed, randn, version } from "@omni-id/torch";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compareIdentities } from "../src/encode.ts";
import { loadIdentity, readIdentity, saveIdentity } from "../src/identity.ts";
import { openComparison } from "../src/weights/comparison.ts";
import { loadEncoder } from "../src/weights/first-stage.ts";

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
let folder: string;
const file = (name: string) => join(folder, `${name}.safetensors`);

/** Runs the command line in a process of its own; the last line of stderr says what it had loaded. */
function run(...args: string[]) {
  const command = ["--import", here("fixtures/loaded-libraries.mjs"), here("../bin/omni-id.mjs"), ...args];
  const { status, stderr } = spawnSync(process.execPath, command, { encoding: "utf8", cwd: folder });
  return { status, loaded: stderr.trim().split("\n").at(-1) };
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "omni-id-quick-"));
  manualSeed(5);
  const { name, hash, bundle } = await loadEncoder();
  for (const person of ["a", "b"]) {
    const encoder = { name, hash };
    const tokens = randn([...bundle.encoder.identityShape])
      .mul(0.2)
      .add(0.1);
    saveIdentity(file(person), { tokens, encoder, photos: [], created: "" });
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("what a command does not need it does not load", () => {
  it("compare, models and doctor: neither LibTorch nor ONNX Runtime nor the picture library", () => {
    expect(run("compare", file("a"), file("b"))).toEqual({ status: 0, loaded: "loaded: nothing" });
    expect(run("models")).toEqual({ status: 0, loaded: "loaded: nothing" });
    expect(run("doctor").loaded).toBe("loaded: nothing");
  });

  it("data inspect: the picture library alone", () => {
    expect(run("data", "synth", "--identities", "1", "--images", "2", "--size", "32", "-o", "set").status).toBe(0);
    expect(run("data", "inspect", "set")).toEqual({ status: 0, loaded: "loaded: libvips" });
  });
});

it("identities are compared by their numbers as they are by their tensors", async () => {
  const encoder = await loadEncoder();
  const { hash, similarity } = await openComparison();
  expect(hash).toBe(encoder.hash);
  const byTensors = compareIdentities(encoder, loadIdentity(file("a")), loadIdentity(file("b")));
  expect(similarity(readIdentity(file("a")), readIdentity(file("b")))).toBeCloseTo(byTensors, 6);
});

it("what files tell of the addon is what it tells itself", () => {
  const { libtorch, cuda, fastBlas } = version();
  expect(buildInfo()).toMatchObject({ libtorch, cuda, fastBlas, missing: [] });
});
