import { useEffect, useState } from "preact/hooks";
import { Attention } from "./parts/attention.tsx";
import { Draw } from "./parts/draw.tsx";
import { People } from "./parts/people.tsx";
import { Photos } from "./parts/photos.tsx";
import { describe } from "./parts/progress.tsx";
import { Reconstruct } from "./parts/reconstruct.tsx";
import { Results } from "./parts/results.tsx";
import { Sets } from "./parts/sets.tsx";
import { Training } from "./parts/training.tsx";
import type { Studio } from "./state/studio.ts";
import { Task } from "./state/task.ts";
import { words } from "./words.ts";

const VIEWS = ["studio", "training", "sets", "results"] as const;
type View = (typeof VIEWS)[number];

const viewInAddress = (): View => VIEWS.find((view) => location.hash === `#${view}`) ?? "studio";
const opening = new Task();

/** The page. */
export function App({ studio, offline }: { studio: Studio; offline: Promise<boolean> }) {
  const [view, show] = useState<View>(viewInAddress);
  const [ready, setReady] = useState(false);
  const { kind, disk } = studio.engine;
  useEffect(() => {
    const onHash = () => show(viewInAddress());
    addEventListener("hashchange", onHash);
    void opening.run(
      (work) => studio.start(work),
      () => {},
    );
    void offline.then(setReady);
    return () => removeEventListener("hashchange", onHash);
  }, [studio, offline]);
  const progress = opening.progress.value;
  return (
    <>
      <a class="skip" href="#content">
        {words.skip}
      </a>
      <header>
        <div>
          <h1>{words.title}</h1>
          <p>{words.tagline}</p>
        </div>
        {disk && (
          <nav aria-label={words.views.label}>
            {VIEWS.map((name) => (
              <a key={name} href={`#${name}`} aria-current={name === view ? "page" : undefined}>
                {words.views[name]}
              </a>
            ))}
          </nav>
        )}
        <p class="where" title={words.where[kind]}>
          <span class="dot" aria-hidden="true" />
          {words.where[kind]} {ready && words.where.ready}
        </p>
      </header>
      <main id="content" tabIndex={-1}>
        {progress && (
          <div class="opening" role="status">
            <progress
              aria-label={describe(progress, () => words.loading.page)}
              max={Math.max(1, progress.total)}
              value={progress.total > 0 ? progress.done : undefined}
            />
            <span>{progress.what === "models" ? describe(progress, () => "") : words.loading.page}</span>
          </div>
        )}
        {opening.error.value !== undefined && (
          <div class="trouble" role="alert">
            <p>
              <strong>{words.errors.open}</strong> {opening.error.value}
            </p>
          </div>
        )}
        {view === "training" && disk && <Training disk={disk} />}
        {view === "sets" && disk && <Sets disk={disk} />}
        {view === "results" && disk && <Results disk={disk} />}
        {(view === "studio" || !disk) && (
          <div class="studio">
            <div class="side">
              <Photos studio={studio} />
              <People studio={studio} />
            </div>
            <div class="main">
              <Draw studio={studio} />
              <Attention studio={studio} />
              <Reconstruct studio={studio} />
            </div>
          </div>
        )}
      </main>
      <footer>
        <p>
          {words.footer}
          {studio.models.value && ` ${studio.models.value.encoder}, ${studio.models.value.version}.`}
        </p>
      </footer>
    </>
  );
}
