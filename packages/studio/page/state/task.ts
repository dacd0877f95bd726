import { type Signal, signal } from "@preact/signals";
import type { Progress, Work } from "../engine/engine.ts";

/** A piece of work of one panel: how far it is, what went wrong, and how it is ended. A new one ends the one before. */
export class Task {
  readonly progress: Signal<Progress | undefined> = signal(undefined);
  readonly error: Signal<string | undefined> = signal(undefined);
  /** What was last done, for a screen reader. */
  readonly told = signal("");
  #controller: AbortController | undefined;

  get running(): boolean {
    return this.progress.value !== undefined;
  }

  cancel(): void {
    this.#controller?.abort();
  }

  /** Runs the work; what it gives is kept only if no other work has begun meanwhile. @returns whether it ended well */
  async run<T>(work: (work: Work) => Promise<T>, keep: (result: T) => void): Promise<boolean> {
    this.cancel();
    const controller = new AbortController();
    this.#controller = controller;
    const mine = () => this.#controller === controller;
    this.error.value = undefined;
    this.progress.value = { what: "work", done: 0, total: 0 };
    try {
      const result = await work({
        signal: controller.signal,
        onProgress: (progress) => {
          if (mine() && !controller.signal.aborted) this.progress.value = progress;
        },
      });
      if (!mine()) return false;
      keep(result);
      return true;
    } catch (error) {
      if (mine() && !controller.signal.aborted) this.error.value = (error as Error).message;
      return false;
    } finally {
      if (mine()) {
        this.progress.value = undefined;
        this.#controller = undefined;
      }
    }
  }
}
