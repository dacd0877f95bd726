// Where LibTorch is: $LIBTORCH, an installed Python torch, or the system's. Prints what binding.gyp asks for.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const SYSTEM_LIBRARY_FOLDERS = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];

/** A LibTorch folder as PyTorch ships it: include/, lib/. Returns null when it is incomplete. */
function fromFolder(folder, source) {
  const include = join(folder, "include");
  const lib = join(folder, "lib");
  if (
    !existsSync(join(include, "torch/version.h")) &&
    !existsSync(join(include, "torch/csrc/api/include/torch/version.h"))
  )
    return null;
  if (!existsSync(join(lib, "libtorch_cpu.so"))) return null;
  const config = join(folder, "share/cmake/Torch/TorchConfig.cmake"); // wheels before 2.6 have the old string layout
  const abi = existsSync(config) && /_GLIBCXX_USE_CXX11_ABI=0/.test(readFileSync(config, "utf8")) ? 0 : 1;
  return describe({ source, includes: [include, join(include, "torch/csrc/api/include")], lib, abi });
}

function fromPython() {
  // find_spec does not import: that would take seconds, at every set-up.
  const program =
    "import importlib.util, os; s = importlib.util.find_spec('torch'); print(os.path.dirname(s.origin) if s else '')";
  try {
    const folder = execFileSync("python3", ["-c", program], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
    // Debian's Python torch is links to the system's LibTorch: found as that, with or without Python.
    if (!folder || SYSTEM_LIBRARY_FOLDERS.includes(dirname(realpathSync(join(folder, "lib/libtorch_cpu.so")))))
      return null;
    return fromFolder(folder, "Python torch");
  } catch {
    return null; // no Python, or a torch without its libraries
  }
}

function fromSystem() {
  const include = "/usr/include";
  const lib = SYSTEM_LIBRARY_FOLDERS.find((folder) => existsSync(join(folder, "libtorch_cpu.so")));
  if (!lib || !existsSync(join(include, "torch/csrc/api/include/torch/version.h"))) return null;
  return describe({ source: "system", includes: [join(include, "torch/csrc/api/include")], lib });
}

function describe({ source, includes, lib, abi = 1 }) {
  // Where the numbers stand moved in 2.10; the old header is still there and includes the new one.
  const headers = ["torch/headeronly/version.h", "torch/version.h"].flatMap((name) =>
    includes.map((folder) => join(folder, name)),
  );
  const text = readFileSync(headers.find(existsSync), "utf8");
  const part = (name) => Number(text.match(new RegExp(`#define TORCH_VERSION_${name}\\s+(\\d+)`))?.[1] ?? 0);
  const version = [part("MAJOR"), part("MINOR"), part("PATCH")];
  const cuda = existsSync(join(lib, "libtorch_cuda.so"));
  const c10d = "torch/csrc/distributed/c10d/ProcessGroupGloo.hpp";
  const distributed = (source === "system" ? ["/usr/include"] : includes).some((folder) =>
    existsSync(join(folder, c10d)),
  );
  return { source, includes, lib, version: version.join("."), cuda, abi, distributed };
}

/** @returns {{source: string, includes: string[], lib: string, version: string, cuda: boolean, abi: number, distributed: boolean} | null} */
export function findLibtorch() {
  if (process.env.OMNI_ID_LIBTORCH_FOUND) return JSON.parse(process.env.OMNI_ID_LIBTORCH_FOUND); // found once by build-native.mjs
  if (process.env.LIBTORCH) {
    const found = fromFolder(process.env.LIBTORCH, "LIBTORCH");
    if (!found)
      throw new Error(
        `LIBTORCH=${process.env.LIBTORCH}: no include/torch/version.h and lib/libtorch_cpu.so in there; unset it or point it to an unpacked LibTorch`,
      );
    return found;
  }
  return fromPython() ?? fromSystem();
}

/**
 * Folders of NCCL's header and of CUDA's, where OMNI_ID_NCCL=1 asks for them: as pip installs them beside Python's torch,
 * or those of a CUDA toolkit.
 */
function ncclIncludes(lib) {
  if (process.env.OMNI_ID_NCCL !== "1") return [];
  const packages = join(lib, "../../nvidia");
  const toolkit = process.env.CUDA_HOME ?? "/usr/local/cuda";
  const has = (folders, header) => folders.find((folder) => existsSync(join(folder, header)));
  const nccl = has([join(packages, "nccl/include"), join(toolkit, "include"), "/usr/include"], "nccl.h");
  const cuda = has(
    [join(toolkit, "include"), ...["cu13", "cuda_runtime"].map((name) => join(packages, name, "include"))],
    "cuda_runtime_api.h",
  );
  if (nccl && cuda) return [nccl, cuda];
  throw new Error(
    `OMNI_ID_NCCL=1, and ${nccl ? "CUDA's cuda_runtime_api.h" : "nccl.h"} is nowhere: install nvidia-nccl-cu13 by pip, or set CUDA_HOME`,
  );
}

/** The compiler and linker settings for what was found, by gyp key. */
export function gypSettings({ source, includes, lib, version, cuda, abi, distributed }) {
  const nccl = cuda && distributed ? ncclIncludes(lib) : [];
  const [major, minor] = version.split(".").map(Number);
  const standard = major > 2 || (major === 2 && minor >= 14) ? 20 : 17; // its headers need C++20 from 2.14 on
  return {
    include_dirs: [...includes, ...nccl],
    defines: [
      `_GLIBCXX_USE_CXX11_ABI=${abi}`,
      ...(distributed ? ["OMNI_DISTRIBUTED", "USE_DISTRIBUTED", "USE_C10D_GLOO"] : []),
      ...(nccl.length > 0 ? ["USE_C10D_NCCL"] : []),
    ],
    // Last of all include folders: a Gloo that is there wins over our stand-in.
    cflags: [`-std=c++${standard}`, "-idirafter", fileURLToPath(new URL("../native/shim", import.meta.url))],
    ldflags: source === "system" ? [] : [`-L${lib}`, `-Wl,-rpath,${lib}`],
    // Operators of torch_cuda register themselves when it is loaded: the linker must not drop it as unused.
    libraries: cuda
      ? ["-Wl,--no-as-needed", "-ltorch_cuda", "-lc10_cuda", "-Wl,--as-needed", "-ltorch_cpu", "-lc10"]
      : ["-ltorch_cpu", "-lc10"],
  };
}

// A build in another folder reaches this file by a link.
if (process.argv[1] && fileURLToPath(import.meta.url) === realpathSync(process.argv[1])) {
  const found = findLibtorch();
  if (!found) {
    console.error(
      "no LibTorch found: on Debian or Ubuntu run `apt-get install libtorch-dev`, or set LIBTORCH to an unpacked one",
    );
    process.exit(1);
  }
  const key = process.argv[process.argv.indexOf("--gyp") + 1];
  console.log(process.argv.includes("--gyp") ? gypSettings(found)[key].join(" ") : JSON.stringify(found, null, 2));
}
