import type { Progress as Step } from "../engine/engine.ts";
import type { Task } from "../state/task.ts";
import { words } from "../words.ts";

const mega = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

export function describe({ what, done, total }: Step, work: (done: number, total: number) => string): string {
  if (what === "queue") return words.draw.queue(total);
  if (what === "models") return words.loading.models(mega(done), mega(total));
  return total > 0 ? work(done, total) : words.draw.queue(0);
}

/** A bar with its words, and a button that ends the work. */
export function TaskProgress({ task, work }: { task: Task; work: (done: number, total: number) => string }) {
  const progress = task.progress.value;
  const { error } = task;
  return (
    <>
      {progress && (
        <div class="progress">
          <progress
            aria-label={describe(progress, work)}
            max={progress.what === "queue" ? undefined : Math.max(1, progress.total)}
            value={progress.what === "queue" || progress.total === 0 ? undefined : progress.done}
          />
          <span>{describe(progress, work)}</span>
          <button type="button" class="quiet" onClick={() => task.cancel()}>
            {words.draw.cancel}
          </button>
        </div>
      )}
      {error.value !== undefined && (
        <div class="trouble" role="alert">
          <p>
            <strong>{words.errors.title}.</strong> <span class="lines">{error.value}</span>
          </p>
          <button
            type="button"
            class="quiet"
            onClick={() => {
              error.value = undefined;
            }}
          >
            {words.errors.close}
          </button>
        </div>
      )}
      <p class="unseen" role="status">
        {task.told.value}
      </p>
    </>
  );
}
