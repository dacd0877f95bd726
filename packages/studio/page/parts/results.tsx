import type { ComponentChild } from "preact";
import { useState } from "preact/hooks";
import type { Disk } from "../engine/engine.ts";
import { words } from "../words.ts";
import { DiskPicture } from "./disk-picture.tsx";
import { useLoaded } from "./loaded.ts";

/** Longer lists of numbers are told by their length. */
const MOST_ITEMS = 40;

/** What the commands measured: their files as tables and pictures. */
export function Results({ disk }: { disk: Disk }) {
  const { results } = words;
  const names = useLoaded(() => disk.results(), []).value;
  const [asked, choose] = useState<string | undefined>(undefined);
  const file = names?.find((name) => name === asked) ?? names?.[0];
  const isPicture = file?.endsWith(".png") ?? false;
  const content = useLoaded(async () => (file && !isPicture ? disk.resultJson(file) : undefined), [file]).value;
  if (!names) return null;
  return (
    <section class="card" aria-labelledby="results-title">
      <h2 id="results-title">{results.title}</h2>
      {!file && <p>{results.none}</p>}
      {file && (
        <p class="row">
          <label>
            <span>{results.file}</span>
            <select value={file} onChange={(event) => choose(event.currentTarget.value)}>
              {names.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
        </p>
      )}
      {file && isPicture && <DiskPicture load={() => disk.resultPicture(file)} keys={file} alt={file} />}
      {content !== undefined && <Value value={content} />}
    </section>
  );
}

/** Any JSON: objects as tables, lists of like objects as one table with a column a field. */
function Value({ value }: { value: unknown }): ComponentChild {
  if (Array.isArray(value)) return <List items={value} />;
  if (typeof value !== "object" || value === null) return <span>{told(value)}</span>;
  return (
    <table>
      <tbody>
        {Object.entries(value).map(([name, inner]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>
              <Value value={inner} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function List({ items }: { items: readonly unknown[] }) {
  const records = items.filter(isFlat);
  if (records.length < items.length || items.length === 0) {
    const shown = items
      .slice(0, MOST_ITEMS)
      .map((item) => (typeof item === "object" ? JSON.stringify(item) : told(item)));
    return <span>{shown.join(", ") + (items.length > MOST_ITEMS ? ` … (${items.length})` : "")}</span>;
  }
  const columns = [...new Set(records.flatMap((record) => Object.keys(record)))];
  return (
    <table>
      <thead>
        <tr>
          {columns.map((name) => (
            <th scope="col" key={name}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {records.slice(0, MOST_ITEMS).map((record) => (
          <tr key={JSON.stringify(record)}>
            {columns.map((name) => (
              <td key={name}>{told(record[name])}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const isFlat = (item: unknown): item is Record<string, string | number | boolean | null> =>
  typeof item === "object" &&
  item !== null &&
  !Array.isArray(item) &&
  Object.values(item).every((inner) => typeof inner !== "object" || inner === null);

function told(value: unknown): string {
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : value.toPrecision(4);
  return value === undefined || value === null ? "–" : String(value);
}
