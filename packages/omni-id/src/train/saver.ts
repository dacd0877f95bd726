import type { SavedCheckpoint } from "./checkpoint.ts";

/** The checkpoints of a run, written beside its steps, one at a time. */
export class Saver {
  #writing: Promise<void> = Promise.resolve();
  #failure: { error: unknown } | undefined;
  #sound: number;

  /** @param sound steps of the checkpoint that the run goes on from */
  constructor(sound: number) {
    this.#sound = sound;
  }

  /** Steps of the newest checkpoint that is whole, as far as is known. */
  get sound(): number {
    return this.#sound;
  }

  /** Starts writing what stands now, once the one before is written; returns its file. @throws when that one failed */
  async save(step: number, start: () => SavedCheckpoint): Promise<string> {
    await this.finish();
    const { file, written } = start();
    this.#writing = written.then(
      () => {
        this.#sound = step;
      },
      (error: unknown) => {
        this.#failure = { error };
      },
    );
    return file;
  }

  /** @throws the system's error when a checkpoint could not be written: a run that saves nothing is not to go on */
  check(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /** Waits until all is written. @throws as {@link check} does */
  async finish(): Promise<void> {
    await this.#writing;
    this.check();
  }
}
