import { existsSync, realpathSync } from "node:fs";
import { native } from "./native.ts";

/** Threads for one operator; the usable cores unless set. Set it once, before the first operator. */
export function setNumThreads(n: number): void {
  native.threads(n);
}
/** Threads that one operator uses. */
export function getNumThreads(): number {
  return native.threads();
}

/** Bytes that this process has allocated and not freed, tensors on the CPU among them: compare before and after. */
export function heapBytes(): number {
  return native.heapBytes();
}

/**
 * Runs `fn` and says how much memory its tensors took, on the CPU and on cards together, as LibTorch's allocators tell:
 * bytes of what was made meanwhile, at most and at the end. What libraries take for themselves is no part of it.
 */
export function measureMemory(fn: () => void): { peak: number; held: number } {
  native.memoryStart();
  let measured: [held: number, peak: number];
  try {
    fn();
  } finally {
    measured = native.memoryStop();
  }
  const [held, peak] = measured;
  return { peak, held };
}

/** What a LibTorch is. */
export interface Version {
  readonly libtorch: string;
  readonly cuda: boolean;
  readonly mkldnn: boolean;
  /** The file that does float32 matrix products, e.g. `…/libopenblas.so.0`; "mkl" when LibTorch has it built in. */
  readonly blas: string;
  /** False for the reference BLAS, which is some 20 times slower than a tuned one. */
  readonly fastBlas: boolean;
}

/** Whether a library's file is one of the tuned ones, by its name. */
export const isFastBlas = (file: string): boolean => /openblas|mkl|blis|atlas|accelerate/i.test(file);

/** What this LibTorch is and what it stands on. */
export function version(): Version {
  const { libtorch, cuda, mkldnn, mkl, blas } = native.version();
  const file = blas && existsSync(blas) ? realpathSync(blas) : blas;
  const library = mkl ? "mkl" : file;
  return {
    libtorch,
    cuda,
    mkldnn,
    blas: library,
    fastBlas: mkl || isFastBlas(library),
  };
}

/** Where time went: one operator. */
export interface ProfileRow {
  readonly operator: string;
  /** Seconds in the operator itself, not in those it called. */
  readonly seconds: number;
  readonly calls: number;
}

/** Runs `fn` and says where its time went: every operator, forward and backward, slowest first. */
export function profile(fn: () => void): ProfileRow[] {
  native.profileStart();
  let rows: ReturnType<typeof native.profileStop>;
  try {
    fn();
  } finally {
    rows = native.profileStop();
  }
  return rows.map(([operator, seconds, calls]) => ({ operator, seconds, calls })).sort((a, b) => b.seconds - a.seconds);
}
