let current = "cpu";

/** The device of what the factories make without a `device` of its own: "cpu" unless it was set. */
export function defaultDevice(): string {
  return current;
}

/** Sets {@link defaultDevice} for all that follows, such as "cuda". Set it once, before the first module is made. */
export function setDefaultDevice(device: string): void {
  current = device;
}

/**
 * Runs `fn` with another {@link defaultDevice}. On `"meta"` tensors have shapes but no memory: a model of any size can
 * be built, its keys read, its weights then assigned.
 */
export function onDevice<T>(device: string, fn: () => T): T {
  const before = current;
  current = device;
  try {
    return fn();
  } finally {
    current = before;
  }
}
