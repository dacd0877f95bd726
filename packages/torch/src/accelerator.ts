import { defaultDevice } from "./device.ts";
import { native } from "./native.ts";

/** Bytes of a GPU's memory. */
export interface DeviceMemory {
  /** In tensors now. */
  allocated: number;
  /** The most that was in tensors since the last reset. */
  peak: number;
  /** Taken from the card, tensors or not. */
  reserved: number;
  /** The card's. */
  total: number;
}

/** Waits until a GPU has done all that was asked of it; on a CPU there is nothing to wait for. */
export function synchronize(device: string = defaultDevice()): void {
  native.synchronize(device);
}

/**
 * What a GPU's memory holds; undefined on a CPU (see `heapBytes`), before the first tensor there, and on a LibTorch
 * before 2.9.
 * @param reset the peak is counted anew from here on
 */
export function deviceMemory(device: string = defaultDevice(), { reset = false } = {}): DeviceMemory | undefined {
  const numbers = native.deviceMemory(device, reset);
  if (!numbers) return undefined;
  const [allocated, peak, reserved, total] = numbers;
  return { allocated, peak, reserved, total };
}

/** Gives memory that no tensor holds back to the card. */
export function emptyDeviceCache(): void {
  native.emptyCache();
}

/**
 * How exact a GPU computes. LibTorch's own default rounds the operands of float32 convolutions to TensorFloat-32.
 * `tensorFloat32` rounds operands of float32 products and convolutions to 10 bits of mantissa, for speed; `deterministic`
 * gives the same bits from every run, and operators that cannot give them throw. Products need
 * CUBLAS_WORKSPACE_CONFIG=:4096:8 in the environment before the first one.
 */
export function setExactness({ tensorFloat32 = false, deterministic = false } = {}): void {
  native.exactness(tensorFloat32, deterministic);
}
