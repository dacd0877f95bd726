import type { IdentityInfo } from "../../src/api.ts";
import type { Studio } from "../state/studio.ts";
import { words } from "../words.ts";
import { saveBlob } from "./save.ts";

/** The identities at hand: whom to draw, whom to mix in. */
export function People({ studio }: { studio: Studio }) {
  const { people } = words;
  const list = studio.people.value;
  const [a, b] = [studio.nameOf(studio.first.value), studio.nameOf(studio.second.value)];
  return (
    <section class="card" aria-labelledby="people-title">
      <h2 id="people-title">{people.title}</h2>
      {list.length === 0 ? <p class="hint">{people.none}</p> : <p class="hint">{people.kept[studio.engine.kind]}</p>}
      <ul class="people">
        {list.map((identity) => (
          <Person key={identity.id} identity={identity} studio={studio} />
        ))}
      </ul>
      {a !== undefined && b !== undefined && studio.similarity.value !== undefined && (
        <p class="note">
          {people.compared(a, b, studio.similarity.value.toFixed(2))}. {people.comparedHint}
        </p>
      )}
    </section>
  );
}

function Person({ identity, studio }: { identity: IdentityInfo; studio: Studio }) {
  const { people } = words;
  const { id, name, photos, saved } = identity;
  const first = studio.first.value === id;
  const second = studio.second.value === id;
  const face = studio.faces.value[id];
  return (
    <li class={first ? "person chosen" : "person"}>
      {face ? (
        <img src={face} alt="" width="48" height="48" />
      ) : (
        <span class="letter" aria-hidden="true">
          {[...name][0]}
        </span>
      )}
      <div class="who">
        <strong>{name}</strong>
        <small>
          {people.of(photos)}
          {saved && ` · ${people.saved}`}
        </small>
      </div>
      <div class="actions">
        <button
          type="button"
          aria-pressed={first}
          aria-label={people.firstOf(name)}
          onClick={() => void studio.chooseFirst(id)}
        >
          {people.first}
        </button>
        {!first && (
          <button
            type="button"
            aria-pressed={second}
            aria-label={people.secondOf(name)}
            onClick={() => void studio.chooseSecond(second ? undefined : id)}
          >
            {people.second}
          </button>
        )}
        <button
          type="button"
          class="quiet"
          aria-label={people.downloadOf(name)}
          title={people.downloadOf(name)}
          onClick={async () => saveBlob(await studio.engine.file(id), `${id}.safetensors`)}
        >
          {people.download}
        </button>
        {studio.models.value?.folder && !saved && (
          <button type="button" class="quiet" onClick={() => void studio.save(id)}>
            {people.save}
          </button>
        )}
        <button
          type="button"
          class="quiet"
          aria-label={people.forgetOf(name)}
          title={people.forgetOf(name)}
          onClick={() => void studio.forget(id)}
        >
          ✕
        </button>
      </div>
    </li>
  );
}
