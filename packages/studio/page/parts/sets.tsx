import { useState } from "preact/hooks";
import type { Disk, SetPerson } from "../engine/engine.ts";
import { words } from "../words.ts";
import { DiskPicture } from "./disk-picture.tsx";
import { useLoaded } from "./loaded.ts";

const COUNT = 12;

/** A set of people, a page of them at a time. */
export function Sets({ disk }: { disk: Disk }) {
  const { sets } = words;
  const all = useLoaded(() => disk.sets(), []).value;
  const [asked, choose] = useState<string | undefined>(undefined);
  const [from, turn] = useState(0);
  const set = all?.find(({ name }) => name === asked) ?? all?.[0];
  const page = useLoaded(async () => (set ? disk.setPeople(set.name, from, COUNT) : undefined), [set?.name, from]);
  if (!all) return null;
  return (
    <section class="card" aria-labelledby="sets-title">
      <h2 id="sets-title">{sets.title}</h2>
      {!set && <p>{sets.none}</p>}
      {set && (
        <p class="row">
          <label>
            <span>{sets.set}</span>
            <select
              value={set.name}
              onChange={(event) => {
                choose(event.currentTarget.value);
                turn(0);
              }}
            >
              {all.map(({ name }) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
          <small>{sets.size(set.shards, `${(set.bytes / 1e6).toFixed(0)} MB`)}</small>
        </p>
      )}
      {page.error && <p role="alert">{page.error}</p>}
      {set && page.value && (
        <>
          <nav class="row" aria-label={sets.title}>
            <button type="button" disabled={from === 0} onClick={() => turn(Math.max(0, from - COUNT))}>
              {sets.before}
            </button>
            <span>{sets.shown(from + 1, from + page.value.people.length, page.value.total)}</span>
            <button type="button" disabled={from + COUNT >= page.value.total} onClick={() => turn(from + COUNT)}>
              {sets.after}
            </button>
          </nav>
          {page.value.people.map((person) => (
            <PersonOfSet key={person.id} disk={disk} set={set.name} person={person} />
          ))}
        </>
      )}
    </section>
  );
}

function PersonOfSet({ disk, set, person }: { disk: Disk; set: string; person: SetPerson }) {
  const { id, source, images } = person;
  return (
    <article class="set-person">
      <h3>
        {id} <small>{source}</small>
      </h3>
      <ul class="strip">
        {images.map((image, index) => (
          <li
            key={`${id} ${image.from?.clip ?? ""} ${image.pose.yaw} ${image.pose.pitch} ${image.caption}`}
            title={image.caption}
          >
            <DiskPicture
              load={() => disk.setPicture(set, id, index)}
              keys={`${set}/${id}/${index}`}
              alt={image.caption || words.sets.picture(index, id)}
              side={96}
            />
          </li>
        ))}
      </ul>
    </article>
  );
}
