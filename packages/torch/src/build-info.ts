import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { addonFile } from "./addon.ts";
import { isFastBlas } from "./runtime.ts";

/** What a build of the addon stands on, as far as files tell. */
export interface BuildInfo {
  /** The addon. */
  file: string;
  /** Version of the LibTorch that it was built for, such as "2.13.0"; absent when nothing tells. */
  libtorch?: string;
  /** Libraries that it needs and that are not on this machine. */
  missing: string[];
  cuda: boolean;
  /** The file that does float32 matrix products; "built into LibTorch" where no library of its own does. */
  blas: string;
  /** False for the reference BLAS, which is some 20 times slower than a tuned one. */
  fastBlas: boolean;
}

/**
 * What the addon stands on, without loading it, which takes half a second of processor time: by the stamp of its build
 * and by what the system's linker finds for it. Null when it was not built yet.
 */
export function buildInfo(): BuildInfo | null {
  const file = addonFile("torch_native");
  if (!existsSync(file)) return null;
  const stamp = file.replace(/\.node$/, ".stamp");
  const libtorch = existsSync(stamp) ? readFileSync(stamp, "utf8").match(/ libtorch (\S+) /)?.[1] : undefined;
  const { stdout } = spawnSync("ldd", [file], { encoding: "utf8" });
  const libraries = Array.from((stdout ?? "").matchAll(/^\s*(\S+) => (not found|\S+)/gm), ([, name, path]) => ({
    name,
    path,
  }));
  const missing = libraries.filter(({ path }) => path === "not found").map(({ name }) => name);
  const blas = libraries.find(({ name, path }) => /blas|mkl/.test(name) && path !== "not found");
  const blasFile = blas ? realpathSync(blas.path) : "built into LibTorch";
  return {
    file,
    ...(libtorch && { libtorch }),
    missing,
    cuda: libraries.some(({ name }) => name.startsWith("libtorch_cuda")),
    blas: blasFile,
    fastBlas: !blas || isFastBlas(blasFile),
  };
}
