import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

interface Found {
  source: string;
  version: string;
  cuda: boolean;
  abi: number;
  distributed: boolean;
}
const { findLibtorch, gypSettings } = (await import(
  fileURLToPath(new URL("../scripts/find-libtorch.mjs", import.meta.url))
)) as { findLibtorch(): Found | null; gypSettings(found: Found): Record<string, string[]> };

let folder: string;
const write = (path: string, text = "") => {
  mkdirSync(join(folder, path, ".."), { recursive: true });
  writeFileSync(join(folder, path), text);
};
const versionHeader = (minor: number) =>
  `#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR ${minor}\n#define TORCH_VERSION_PATCH 1\n`;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "omni-id-libtorch-"));
  vi.stubEnv("LIBTORCH", folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

test("LIBTORCH wins, with its version, CUDA and string layout", () => {
  write("include/torch/csrc/api/include/torch/version.h", versionHeader(3));
  write("lib/libtorch_cpu.so");
  expect(findLibtorch()).toMatchObject({ source: "LIBTORCH", version: "2.3.1", cuda: false, abi: 1 });
  write("lib/libtorch_cuda.so");
  write("share/cmake/Torch/TorchConfig.cmake", 'set(TORCH_CXX_FLAGS "-D_GLIBCXX_USE_CXX11_ABI=0")');
  const found = findLibtorch() as Found;
  expect(found).toMatchObject({ cuda: true, abi: 0 });
  const settings = gypSettings(found);
  expect(settings.libraries).toContain("-ltorch_cuda");
  expect(settings.defines).toEqual(["_GLIBCXX_USE_CXX11_ABI=0"]);
  expect(settings.ldflags).toContain(`-Wl,-rpath,${join(folder, "lib")}`);
});

test("newer versions keep their number in another header and need C++20", () => {
  write("include/torch/csrc/api/include/torch/version.h", "#include <torch/headeronly/version.h>\n");
  write("include/torch/headeronly/version.h", versionHeader(14));
  write("lib/libtorch_cpu.so");
  const found = findLibtorch() as Found;
  expect(found.version).toBe("2.14.1");
  expect(gypSettings(found).cflags[0]).toBe("-std=c++20");
  expect(gypSettings({ ...found, version: "1.13.0" }).cflags[0]).toBe("-std=c++17");
});

test("process groups are built where the headers of c10d are, wherever those of Gloo may be", () => {
  write("include/torch/csrc/api/include/torch/version.h", versionHeader(3));
  write("lib/libtorch_cpu.so");
  const without = findLibtorch() as Found;
  expect(without.distributed).toBe(false);
  expect(gypSettings(without).defines).not.toContain("OMNI_DISTRIBUTED");
  write("include/torch/csrc/distributed/c10d/ProcessGroupGloo.hpp");
  const found = findLibtorch() as Found;
  expect(found.distributed).toBe(true);
  expect(gypSettings(found).defines).toContain("OMNI_DISTRIBUTED");
  const { cflags } = gypSettings(found);
  const standIn = cflags[cflags.indexOf("-idirafter") + 1];
  expect(existsSync(join(standIn, "gloo/context.h"))).toBe(true);
});

test("a LIBTORCH without LibTorch is an error, not a silent fallback", () => {
  expect(() => findLibtorch()).toThrow(`LIBTORCH=${folder}: no include/torch/version.h`);
});
