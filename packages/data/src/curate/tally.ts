import type { SourceResult } from "./curate-source.ts";
import type { ClipProgress } from "./observe-clip.ts";

export interface SetProgress {
  /** Sources: videos, or folders of photos. */
  videos: { done: number; total: number };
  /** Share of the work that is done, 0…1. */
  share: number;
  /** Frames, or photos, that this run looked at. */
  frames: number;
  framesPerSecond: number;
  people: number;
  pictures: number;
  /** As the share and the time so far tell; nothing before they tell anything. */
  secondsLeft?: number;
}

/** Counts what workers tell. */
export class Tally {
  frames = 0;
  readonly clock: Record<string, number> = {};
  readonly failures: { video: string; why: string }[] = [];
  readonly #total: number;
  readonly #onProgress?: (progress: SetProgress) => void;
  readonly #began = performance.now();
  /** Share done of each video in work. */
  readonly #open = new Map<string, number>();
  #done = 0;
  /** Videos that were finished before this run tell nothing about its speed. */
  #skipped = 0;
  #people = 0;
  #pictures = 0;

  constructor(total: number, onProgress?: (progress: SetProgress) => void) {
    this.#total = total;
    this.#onProgress = onProgress;
  }

  step(video: string, { frames, share }: ClipProgress): void {
    this.frames += frames;
    this.#open.set(video, share);
    this.#tell();
  }

  done(video: string, { people, pictures }: SourceResult, clock: Record<string, number>): void {
    if (!this.#open.has(video)) this.#skipped++;
    this.#people += people;
    this.#pictures += pictures;
    for (const [stage, seconds] of Object.entries(clock)) this.clock[stage] = (this.clock[stage] ?? 0) + seconds;
    this.#close(video);
  }

  failed(video: string, why: string): void {
    this.failures.push({ video, why });
    this.#close(video);
  }

  #close(video: string): void {
    this.#open.delete(video);
    this.#done++;
    this.#tell();
  }

  #tell(): void {
    const seconds = (performance.now() - this.#began) / 1000;
    const open = [...this.#open.values()].reduce((sum, share) => sum + share, 0);
    const [mine, left] = [this.#done - this.#skipped + open, this.#total - this.#done - open];
    this.#onProgress?.({
      videos: { done: this.#done, total: this.#total },
      share: this.#total > 0 ? (this.#done + open) / this.#total : 1,
      frames: this.frames,
      framesPerSecond: this.frames / Math.max(seconds, 1e-3),
      people: this.#people,
      pictures: this.#pictures,
      secondsLeft: mine > 0 ? (seconds / mine) * left : undefined,
    });
  }
}
