import { useEffect, useState } from "preact/hooks";

/** What is loaded for some keys, again when they change; `undefined` until it is there. */
export function useLoaded<T>(
  load: () => Promise<T>,
  keys: readonly unknown[],
): { value: T | undefined; error: string | undefined } {
  const [state, set] = useState<{ value?: T; error?: string }>({});
  useEffect(() => {
    let stale = false;
    load().then(
      (value) => !stale && set({ value }),
      (error: Error) => !stale && set((before) => ({ ...before, error: error.message })),
    );
    return () => {
      stale = true;
    };
  }, keys);
  return { value: state.value, error: state.error };
}

/** Goes up by one every so many milliseconds. */
export function useTick(every: number): number {
  const [tick, set] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => set((before) => before + 1), every);
    return () => clearInterval(timer);
  }, [every]);
  return tick;
}
