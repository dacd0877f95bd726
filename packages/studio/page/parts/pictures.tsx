import type { Studio } from "../state/studio.ts";
import { words } from "../words.ts";
import { saveAddress } from "./save.ts";

/** The pictures; while they are drawn, as far as they are. */
export function Pictures({ studio }: { studio: Studio }) {
  const { draw } = words;
  const progress = studio.drawing.progress.value;
  const drawn = studio.pictures.value;
  const shown = progress?.pictures ?? drawn;
  const who = studio.title.value;
  const file = (index: number) => `${studio.first.value ?? "picture"}-${studio.seed.value}-${index + 1}.png`;
  if (shown.length === 0) {
    return (
      <div class="pictures" aria-hidden="true">
        {["a", "b", "c", "d"].map((place) => (
          <div class="picture empty" key={place} />
        ))}
      </div>
    );
  }
  return (
    <>
      <ul class={progress ? "pictures coming" : "pictures"} aria-busy={progress !== undefined}>
        {shown.map((address, i) => (
          <li class="picture" key={file(i)}>
            <img src={address} alt={draw.picture(i + 1, who)} width="256" height="256" />
            <button
              type="button"
              class="save"
              disabled={progress !== undefined}
              aria-label={draw.save(i + 1)}
              title={draw.save(i + 1)}
              onClick={() => saveAddress(address, file(i))}
            >
              ↓
            </button>
          </li>
        ))}
      </ul>
      {drawn.length > 1 && !progress && (
        <p class="row">
          <button
            type="button"
            class="quiet"
            onClick={() => {
              for (const [i, address] of drawn.entries()) saveAddress(address, file(i));
            }}
          >
            {draw.saveAll}
          </button>
          {studio.seconds.value !== undefined && <small>{draw.done(studio.seconds.value.toFixed(1))}</small>}
        </p>
      )}
    </>
  );
}
