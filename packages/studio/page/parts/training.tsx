import { useMemo, useState } from "preact/hooks";
import type { LogLine } from "../../src/disk/run-types.ts";
import type { Disk } from "../engine/engine.ts";
import { words } from "../words.ts";
import { Chart, type Line } from "./chart.tsx";
import { DiskPicture } from "./disk-picture.tsx";
import { useLoaded, useTick } from "./loaded.ts";

/** How often a training is looked at again, in milliseconds. */
const AGAIN = 10_000;
/** A training whose log is younger is at work. */
const RUNNING = 180_000;

/** Curves of a training, and its pictures of people whom it has not learned from. */
export function Training({ disk }: { disk: Disk }) {
  const { training } = words;
  const tick = useTick(AGAIN);
  const runs = useLoaded(() => disk.runs(), [tick]).value;
  const [asked, choose] = useState<string | undefined>(undefined);
  const run = runs?.find(({ name }) => name === asked) ?? runs?.[0];
  const curves = useLoaded(async () => (run ? disk.curves(run.name) : undefined), [run?.name, run?.changed]).value;
  if (!runs) return null;
  if (!run) {
    return (
      <section class="card">
        <h2>{training.title}</h2>
        <p>{training.none("runs")}</p>
      </section>
    );
  }
  const last = curves?.pictures.at(-1);
  return (
    <section class="card" aria-labelledby="training-title">
      <h2 id="training-title">{training.title}</h2>
      <p class="row">
        <label>
          <span>{training.run}</span>
          <select value={run.name} onChange={(event) => choose(event.currentTarget.value)}>
            {runs.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        {Date.now() - run.changed < RUNNING && <span class="badge">{training.running}</span>}
      </p>
      {curves && <Curves lines={curves.lines} />}
      {last && (
        <figure class="sheet">
          <figcaption>
            {training.held}. {training.heldAt(Number(/\d+/.exec(last)?.[0]))}
          </figcaption>
          <DiskPicture
            load={() => disk.runPicture(run.name, last)}
            keys={`${run.name}/${last}/${run.changed}`}
            alt={`${training.held}. ${training.heldAt(Number(/\d+/.exec(last)?.[0]))}`}
          />
        </figure>
      )}
    </section>
  );
}

function Curves({ lines }: { lines: readonly LogLine[] }) {
  const { training } = words;
  const figures = useMemo(() => figuresOf(lines), [lines]);
  return (
    <>
      <div class="charts">
        {figures.map(({ name, lines: own }) => (
          <Chart key={name} title={name} lines={own} step={training.step} />
        ))}
      </div>
      <details>
        <summary>{training.table}</summary>
        <table>
          <thead>
            <tr>
              <th scope="col">{training.figure}</th>
              <th scope="col">{training.last}</th>
              <th scope="col">{training.at}</th>
            </tr>
          </thead>
          <tbody>
            {figures.flatMap(({ name, lines: own }) =>
              own.map(({ label, steps, values }) => (
                <tr key={`${name} ${label}`}>
                  <th scope="row">
                    {name}, {label}
                  </th>
                  <td>{values.at(-1)?.toPrecision(4)}</td>
                  <td>{steps.at(-1)}</td>
                </tr>
              )),
            )}
          </tbody>
        </table>
      </details>
    </>
  );
}

/** Curves by figure: one of the training and one of held-out people, as far as there are. */
function figuresOf(lines: readonly LogLine[]): { name: string; lines: Line[] }[] {
  const figures = new Map<string, Map<string, { steps: number[]; values: number[] }>>();
  for (const { kind, step, ...rest } of lines) {
    for (const [name, value] of Object.entries(rest)) {
      if (typeof value !== "number" || name === "seconds") continue;
      const kinds = figures.get(name) ?? new Map<string, { steps: number[]; values: number[] }>();
      const line = kinds.get(kind) ?? { steps: [], values: [] };
      line.steps.push(step);
      line.values.push(value);
      figures.set(name, kinds.set(kind, line));
    }
  }
  const { training } = words;
  const label = (kind: string) => (kind === "train" ? training.train : kind === "held-out" ? training.heldOut : kind);
  return [...figures].map(([name, kinds]) => ({
    name,
    lines: [...kinds].map(([kind, line]) => ({ label: label(kind), ...line })),
  }));
}
