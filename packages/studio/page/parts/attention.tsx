import { chooseQueries, overlay } from "omni-id/web";
import { useEffect, useRef, useState } from "preact/hooks";
import type { AttentionAnswer } from "../../src/api.ts";
import type { Studio } from "../state/studio.ts";
import { words } from "../words.ts";
import { TaskProgress } from "./progress.tsx";

/** Queries to show: the most local ones that look at different places. */
const SHOWN = 6;

type Query = AttentionAnswer["queries"][number];

/** Figure 10: what each query looked at in the photos. */
export function Attention({ studio }: { studio: Studio }) {
  const { attention } = words;
  const answer = studio.attention.value;
  const photos = studio.pile.value.filter(({ state }) => state !== "refused");
  return (
    <section class="card" aria-labelledby="attention-title">
      <h2 id="attention-title">{attention.title}</h2>
      <p class="hint">{attention.about}</p>
      <p>
        <button type="button" disabled={photos.length === 0} onClick={() => void studio.look()}>
          {attention.button}
        </button>{" "}
        {photos.length === 0 && <small>{attention.none}</small>}
      </p>
      <TaskProgress task={studio.looking} work={() => attention.working} />
      {answer && <Maps answer={answer} />}
    </section>
  );
}

function Maps({ answer }: { answer: AttentionAnswer }) {
  const { attention } = words;
  const queries = answer.queries.map((query): Query & { place: [number, number] } => ({
    ...query,
    place: [query.place[0], query.place[1]],
  }));
  const best = chooseQueries(queries, SHOWN);
  const [chosen, choose] = useState(best[0]?.query ?? 0);
  const focus = queries.find(({ query }) => query === chosen) ?? queries[0];
  return (
    <>
      <div class="row">
        <fieldset class="chips">
          <legend class="unseen">{attention.query}</legend>
          {best.map(({ query, part }) => (
            <button
              type="button"
              key={query}
              aria-pressed={query === chosen}
              aria-label={attention.choose(query, part)}
              onClick={() => choose(query)}
            >
              {query} · {part}
            </button>
          ))}
        </fieldset>
        <label>
          <span>{attention.query}</span>
          <select value={chosen} onChange={(event) => choose(Number(event.currentTarget.value))}>
            {queries.map(({ query, part }) => (
              <option key={query} value={query}>
                {query} · {part}
              </option>
            ))}
          </select>
        </label>
      </div>
      <p class="hint">{attention.part(focus.part, focus.entropy.toFixed(2))}</p>
      <ul class="maps">
        {answer.photos.map(({ photo, crop, maps }) => (
          <li key={photo}>
            <OverlayPicture crop={crop} map={maps[focus.query]} label={attention.map(focus.query, photo)} />
            <small>{photo}</small>
          </li>
        ))}
      </ul>
    </>
  );
}

/** A crop under the colours of a map, drawn by the same function as the command line's sheet. */
function OverlayPicture({ crop, map, label }: { crop: string; map: readonly number[]; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    let stale = false;
    const image = new Image();
    image.src = crop;
    void image.decode().then(() => {
      const context = canvas.current?.getContext("2d", { willReadFrequently: true });
      if (stale || !canvas.current || !context) return;
      const { width, height } = image;
      canvas.current.width = width;
      canvas.current.height = height;
      context.drawImage(image, 0, 0);
      const pixels = context.getImageData(0, 0, width, height);
      const data = new Uint8Array(3 * width * height).map((_, i) => pixels.data[4 * Math.floor(i / 3) + (i % 3)]);
      const drawn = overlay({ width, height, data }, map);
      for (let i = 0; i < drawn.data.length; i++) pixels.data[4 * Math.floor(i / 3) + (i % 3)] = drawn.data[i];
      context.putImageData(pixels, 0, 0);
    });
    return () => {
      stale = true;
    };
  }, [crop, map]);
  return <canvas ref={canvas} role="img" aria-label={label} width="112" height="112" />;
}
