import { native } from "./native.ts";
import { runSynchronously } from "./synchronous.ts";

let current = "cpu";
let checking = false;

function choose(device: string): void {
  current = device;
  if (checking) native.checkDevices(current);
}

/** The device of what the factories make without a `device` of its own: "cpu" unless it was set. */
export function defaultDevice(): string {
  return current;
}

/** Sets {@link defaultDevice} for all that follows, such as "cuda". Set it once, before the first module is made. */
export function setDefaultDevice(device: string): void {
  choose(device);
}

/**
 * The check mode: while it is on, an operator that is given a tensor of another device than the default one fails and
 * names it, instead of being slow, or of failing far from where the tensor was made. `to` and `copy_` are free to move
 * tensors, and so are operators on nothing but integers in main memory, which are sizes. For tests; on this thread, until
 * it is turned off.
 */
export function checkDevices(on: boolean): void {
  checking = on;
  native.checkDevices(on ? current : null);
}

/**
 * Runs `fn` with another {@link defaultDevice}. On `"meta"` tensors have shapes but no memory: a model of any size can
 * be built, its keys read, its weights then assigned. {@link checkDevices} follows it.
 */
export function onDevice<T>(device: string, fn: () => T): T {
  const before = current;
  choose(device);
  try {
    return runSynchronously("onDevice(device, fn)", fn, "await first, and wrap the work that follows");
  } finally {
    choose(before);
  }
}
