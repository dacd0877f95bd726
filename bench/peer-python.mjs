// The Python whose torch our runs are compared with: the one on the very LibTorch that the addon is built on, where
// there is one, so that a ratio tells of the binding and not of two versions.
import { spawnSync } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { join } from "node:path";

const PROGRAM = "import os, torch; print(torch.__version__); print(os.path.dirname(torch.__file__))";

/** What a Python says of its torch, or null: no such Python, or no torch that it can import. */
function torchOf(python) {
  const { status, stdout } = spawnSync(python, ["-c", PROGRAM], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  if (status !== 0) return null;
  const [version, folder] = stdout.trim().split("\n").slice(-2);
  return { python, version, lib: join(folder, "lib") };
}

/** The libraries' own place: Debian's Python torch is links to the system's LibTorch. */
function library(lib) {
  const file = join(lib, "libtorch_cpu.so");
  return existsSync(file) ? realpathSync(file) : null;
}

/**
 * @param {{lib: string, version: string} | null} libtorch what findLibtorch() found
 * @param {string[]} [known] Pythons to ask after the one that LibTorch's folder lies in
 * @returns {{python: string, version: string, same: boolean}} `same`: its torch is on that LibTorch, or of its version
 * @throws when no Python has a torch
 */
export function peerPython(libtorch, known = ["/usr/bin/python3", "python3"]) {
  const prefix = libtorch?.lib.match(/^(.+)\/lib(?:64)?\/python[\d.]+\/site-packages\/torch\/lib$/)?.[1];
  const found = [];
  for (const name of prefix ? [join(prefix, "bin/python3"), ...known] : known) {
    const torch = torchOf(name);
    if (!torch) continue;
    if (libtorch && library(torch.lib) !== null && library(torch.lib) === library(libtorch.lib))
      return { python: torch.python, version: torch.version, same: true };
    found.push(torch);
  }
  if (found.length === 0) throw new Error("no Python with torch; on Debian: apt-get install -y python3-torch");
  const alike = found.find(({ version }) => version.replace(/[+a].*/, "") === libtorch?.version);
  const { python, version } = alike ?? found[0];
  return { python, version, same: alike !== undefined };
}

/** One line for who reads the ratios. */
export function comparison({ python, version, same }, libtorch) {
  const what = `compared with PyTorch ${version} (${python})`;
  if (same) return what;
  return `${what}, but the addon is on LibTorch ${libtorch?.version ?? "unknown"}: the ratios to PyTorch tell of two versions; install that torch for a Python, or point LIBTORCH to a Python's own site-packages/torch`;
}
