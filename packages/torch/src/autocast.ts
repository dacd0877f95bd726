import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { defaultDevice } from "./device.ts";
import type { DType } from "./dtype.ts";
import { native } from "./native.ts";
import { runSynchronously } from "./synchronous.ts";

export interface AutocastOptions {
  dtype?: DType;
  /** The device whose operators are cast, "cpu" or "cuda"; the default device when left out. */
  device?: string;
  enabled?: boolean;
}

/**
 * Runs `fn` with automatic mixed precision: matrix products and convolutions run in `dtype`, sums, norms and losses
 * in float32. A weight is cast once in the outermost autocast. Call `backward` outside.
 */
export function autocast<T>(
  { dtype = "bfloat16", device = defaultDevice(), enabled = true }: AutocastOptions,
  fn: () => T,
): T {
  const [type] = device.split(":");
  // While it is off the dtype does not matter, but old LibTorch accepts no other than bfloat16 on the CPU.
  const [wasEnabled, before] = native.autocastEnter(type, enabled, enabled ? dtype : "bfloat16");
  try {
    return runSynchronously("autocast(options, fn)", fn, "await first, and wrap the work that follows");
  } finally {
    native.autocastLeave(type, wasEnabled, before);
  }
}

let preferred: "bfloat16" | "float32" | undefined;
let preferredOnCard: "bfloat16" | "float32" | undefined;

/**
 * The faster precision here: bfloat16 where the processor, or the card (from compute capability 8.0 on), multiplies it in
 * hardware; else float32.
 */
export function preferredPrecision(): "bfloat16" | "float32" {
  if (defaultDevice() !== "cpu") {
    preferredOnCard ??= cardCapability() < 8 ? "float32" : "bfloat16";
    return preferredOnCard;
  }
  preferred ??= processorFlags().some((flag) => flag === "avx512_bf16" || flag === "amx_bf16" || flag === "bf16")
    ? "bfloat16"
    : "float32";
  return preferred;
}

/** The least of this machine's cards, as NVIDIA's own tool tells; where there is none to ask, a recent one is assumed. */
export function cardCapability(): number {
  const { stdout } = spawnSync("nvidia-smi", ["--query-gpu=compute_cap", "--format=csv,noheader"], {
    encoding: "utf8",
    timeout: 10_000,
  });
  const told = (stdout ?? "")
    .split("\n")
    .map((line) => Number.parseFloat(line))
    .filter(Number.isFinite);
  return told.length > 0 ? Math.min(...told) : Number.POSITIVE_INFINITY;
}

function processorFlags(): string[] {
  try {
    const info = readFileSync("/proc/cpuinfo", "utf8");
    return info.match(/^(?:flags|Features)\s*:\s*(.*)$/m)?.[1].split(" ") ?? [];
  } catch {
    return []; // not Linux: float32 is always right
  }
}
