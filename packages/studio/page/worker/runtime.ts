import type { OrtRuntime } from "omni-id/web";
import { unpacked } from "./files.ts";

/** ONNX Runtime, and where its sessions run. */
export interface Runtime {
  ort: OrtRuntime;
  session: Readonly<Record<string, unknown>>;
}

/** As many threads as help: beyond this small models only wait for each other. */
const MOST_THREADS = 8;

/**
 * ONNX Runtime on the graphics card where there is one, else as WebAssembly, with threads where the page's headers allow
 * them. Its code lies beside the page, packed.
 */
export async function openRuntime(): Promise<Runtime> {
  const gpu = await hasGpu();
  const ort = gpu ? await import("onnxruntime-web/webgpu") : await import("onnxruntime-web/wasm");
  const name = gpu ? "ort-wasm-simd-threaded.asyncify" : "ort-wasm-simd-threaded";
  const base = new URL("../ort/", self.location.href);
  ort.env.wasm.wasmBinary = await unpacked(`ort/${name}.wasm.gz`);
  ort.env.wasm.wasmPaths = { mjs: new URL(`${name}.mjs`, base).href };
  ort.env.wasm.numThreads = crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1) : 1;
  // This is a worker already.
  ort.env.wasm.proxy = false;
  return {
    ort: ort as unknown as OrtRuntime,
    session: { executionProviders: gpu ? ["webgpu", "wasm"] : ["wasm"], graphOptimizationLevel: "all" },
  };
}

async function hasGpu(): Promise<boolean> {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<unknown> } };
  try {
    return gpu !== undefined && (await gpu.requestAdapter()) !== null;
  } catch {
    return false;
  }
}
