import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { addonFile, loadAddon } from "../src/addon.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "omni-id-addon-"));
  vi.stubEnv("OMNI_ID_NATIVE", folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** An addon that needs a library which is no longer there. */
function addonWithout(library: string): void {
  const file = addonFile("torch_native");
  mkdirSync(dirname(file), { recursive: true });
  const link = (output: string, ...rest: string[]) =>
    execFileSync("g++", ["-shared", "-o", output, "-x", "c", "/dev/null", "-x", "none", ...rest]);
  link(join(folder, library), `-Wl,-soname,${library}`);
  link(file, "-Wl,--no-as-needed", join(folder, library));
  rmSync(join(folder, library));
}

test("an addon on a LibTorch for CUDA, without NVIDIA's libraries, says what is missing and what to do", () => {
  addonWithout("libcusparse.so.12");
  expect(() => loadAddon("torch_native")).toThrow(
    /does not load: libcusparse\.so\.12: cannot open .*\nthe LibTorch .* for CUDA, and NVIDIA's libcusparse\.so\.12 is not .*LD_LIBRARY_PATH.*CPUs/,
  );
});

test("without another library it is to be built anew", () => {
  addonWithout("libtorch_cpu.so.9.9");
  expect(() => loadAddon("torch_native")).toThrow(/libtorch_cpu\.so\.9\.9: cannot open .*\nbuild it for this machine/);
});
