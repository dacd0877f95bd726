import { closeSync, openSync, readSync } from "node:fs";

const SAFE = "take the .safetensors file of the same model";

/** Files that people hold by the name of a model, and that are none; by how they begin. */
const KINDS: readonly (readonly [sign: RegExp, what: string])[] = [
  [
    /^GGUF/,
    "a GGUF file, whose weights are quantised for llama.cpp; take the same model as bfloat16 or float8 .safetensors",
  ],
  [/^version https:\/\/git-lfs/, "a Git LFS pointer, not the model itself: run `git lfs pull` in its repository"],
  [
    /^\s*<(!doctype|html|\?xml|head)/i,
    "a web page, not a model: the download needs you to log in or to accept a licence",
  ],
  [
    /^\s*(\{\s*"error"|Access to model|Entry not found|Invalid |Not Found|Repository not found|Unauthorized)/i,
    "a server's refusal, not a model: the download needs you to log in or to accept a licence",
  ],
];

const PICKLE =
  "python3 -c \"import sys, torch; from safetensors.torch import save_file; s = torch.load(sys.argv[1], weights_only=True); save_file({k: v.contiguous() for k, v in s.get('state_dict', s).items()}, sys.argv[2])\" IN OUT.safetensors";
const RUNS = "which can run any code when it is read and is not opened here";

/** The same for files of bytes, by these in hexadecimal. */
const BINARIES: readonly (readonly [start: string, what: string])[] = [
  ["504b0304", `a PyTorch pickle (a zip), ${RUNS}; ${SAFE}, or convert it: ${PICKLE}`],
  ["8002", `a Python pickle, ${RUNS}; ${SAFE}`],
  ["8003", `a Python pickle, ${RUNS}; ${SAFE}`],
  ["8004", `a Python pickle, ${RUNS}; ${SAFE}`],
  ["8005", `a Python pickle, ${RUNS}; ${SAFE}`],
  ["89484446", `an HDF5 file of Keras; ${SAFE}`],
  ["1f8b", "a compressed archive; unpack it first"],
  ["fd377a585a", "a compressed archive; unpack it first"],
  ["28b52ffd", "a compressed archive; unpack it first"],
  ["377abcaf", "a compressed archive; unpack it first"],
];

/** What a file is that is no safetensors, told by its first bytes; undefined where these do not say. */
export function foreignFile(path: string): string | undefined {
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(64);
    const text = bytes.toString("latin1", 0, readSync(file, bytes, 0, bytes.length, 0));
    // After its length, a safetensors file goes on with its header.
    if (text[8] === "{") return undefined;
    const hex = bytes.toString("hex");
    return KINDS.find(([sign]) => sign.test(text))?.[1] ?? BINARIES.find(([start]) => hex.startsWith(start))?.[1];
  } finally {
    closeSync(file);
  }
}

/** Endings of models that are no safetensors, for folders that hold nothing else. */
export const FOREIGN_ENDINGS = /\.(bin|pt|pth|ckpt|gguf|msgpack|h5|onnx)$/;
