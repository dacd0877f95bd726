import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

interface LibTorch {
  lib: string;
  version: string;
}
interface Peer {
  python: string;
  version: string;
  same: boolean;
}
const { peerPython, comparison } = (await import(
  fileURLToPath(new URL("../../../bench/peer-python.mjs", import.meta.url))
)) as {
  peerPython(libtorch: LibTorch | null, known?: string[]): Peer;
  comparison(peer: Peer, libtorch: LibTorch | null): string;
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "omni-id-peer-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** An environment whose Python says that it has this torch. `system`: where its libraries lie, if not inside. */
function environment(name: string, version: string, system?: string): { python: string; lib: string } {
  const prefix = join(folder, name);
  const torch = join(prefix, "lib/python3.11/site-packages/torch");
  mkdirSync(join(torch, "lib"), { recursive: true });
  mkdirSync(join(prefix, "bin"));
  if (system) symlinkSync(system, join(torch, "lib/libtorch_cpu.so"));
  else writeFileSync(join(torch, "lib/libtorch_cpu.so"), "");
  const python = join(prefix, "bin/python3");
  writeFileSync(python, `#!/bin/sh\necho ${version}\necho ${torch}\n`);
  chmodSync(python, 0o755);
  return { python, lib: join(torch, "lib") };
}

test("the Python that LIBTORCH belongs to goes before those that are always asked", () => {
  const usual = environment("usual", "1.13.0a0");
  const newer = environment("newer", "2.13.0+cpu");
  const libtorch = { lib: newer.lib, version: "2.13.0" };
  const peer = peerPython(libtorch, [usual.python]);
  expect(peer).toEqual({ python: expect.stringContaining("newer"), version: "2.13.0+cpu", same: true });
  expect(comparison(peer, libtorch)).toMatch(/^compared with PyTorch 2\.13\.0\+cpu \(.*python3\)$/);
});

test("a Python whose torch is links to the system's LibTorch belongs to that", () => {
  const system = join(folder, "usr/lib");
  mkdirSync(system, { recursive: true });
  writeFileSync(join(system, "libtorch_cpu.so"), "");
  const other = environment("other", "2.13.0+cpu");
  const debian = environment("debian", "1.13.0a0", join(system, "libtorch_cpu.so"));
  const libtorch = { lib: system, version: "1.13.0" };
  expect(peerPython(libtorch, [other.python, debian.python])).toMatchObject({ python: debian.python, same: true });
});

test("an unpacked LibTorch is compared with a torch of its version, else the reader is told of two versions", () => {
  const unpacked = { lib: join(folder, "libtorch/lib"), version: "2.13.0" };
  const [older, alike] = [environment("older", "1.13.0a0"), environment("alike", "2.13.0+cu130")];
  const pythons = [older.python, alike.python];
  expect(peerPython(unpacked, pythons)).toEqual({ python: alike.python, version: "2.13.0+cu130", same: true });
  const peer = peerPython({ ...unpacked, version: "2.14.1" }, pythons);
  expect(peer).toMatchObject({ python: older.python, same: false });
  expect(comparison(peer, { ...unpacked, version: "2.14.1" })).toMatch(/1\.13\.0a0 .* on LibTorch 2\.14\.1: .*install/);
});

test("no Python with torch is an error that says what to install", () => {
  expect(() => peerPython(null, [join(folder, "no-python")])).toThrow("python3-torch");
});
