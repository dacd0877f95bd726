import type { Groups } from "@omni-id/data";
import { noGrad, scope, stack, type Tensor } from "@omni-id/torch";
import { chunk } from "../people/chunk.ts";
import type { People } from "../people/people.ts";
import { toUnit } from "../pictures/rgb-batch.ts";
import type { Values } from "./figures.ts";
import { embedAll, galleryPlaces } from "./generation-likeness.ts";
import { type GenerationTask, rowsOf } from "./generation-protocol.ts";
import type { CountKey } from "./protocol.ts";
import type { Judge } from "./recognisers.ts";

/** Whom a picture is drawn from. */
export type Drawn = CountKey | "otherIdentity";
/** Likeness to the target, one list a person. */
export type DrawnLikeness = Values<Drawn | "samePerson" | "otherPerson">;

/** All photos of some people, each once: of people who have few, a test names one several times. */
export interface Photos {
  rows: number[];
  place: (row: number) => number;
}

export function photosOf(people: People): Photos {
  const { rows } = people;
  const places = new Map(rows.map((row, place) => [row, place]));
  return { rows, place: (row) => places.get(row) as number };
}

export interface JudgedTest {
  people: People;
  tasks: readonly GenerationTask[];
  judge: Judge;
  photos: Photos;
}

/**
 * Likeness of what is drawn to the targets, and whether the right one comes first, each photo looked at once.
 * @param made pictures of each kind, and five points in each
 */
export function judged(
  { people, tasks, judge, photos }: JudgedTest,
  made: (name: Drawn) => { pictures: Tensor; points: Tensor },
): { likeness: DrawnLikeness; firsts: Values<CountKey | "realPhoto"> } {
  return scope(() =>
    noGrad(() => {
      const known = embedAll(judge, toUnit(rowsOf(people.crops, photos.rows)), rowsOf(people.points, photos.rows));
      const of = (rows: readonly number[]) => rowsOf(known, rows.map(photos.place));
      const targets = tasks.map(({ target }) => target);
      const truth = of(targets);
      const perPerson = tasks.length / people.ids.length;
      const values = (other: Tensor) => chunk(judge.compare(other, truth), perPerson);
      const features = (name: Drawn) => {
        const { pictures, points } = made(name);
        return embedAll(judge, pictures, points);
      };
      const galleries = tasks.map((task) => galleryOf({ people, photos }, task, known));
      const first = (drawn: Tensor) => chunk(firstAmong(galleries, tasks, drawn), perPerson);
      const [one, three, five] = [features("1"), features("3"), features("5")];
      const real = of(tasks.map(({ inputs }) => inputs[0]));
      return {
        likeness: {
          "1": values(one),
          "3": values(three),
          "5": values(five),
          otherIdentity: values(features("otherIdentity")),
          samePerson: values(real),
          otherPerson: values(of(tasks.map(({ other }) => targets[(other * perPerson) / 4]))),
        },
        firsts: { "1": first(one), "3": first(three), "5": first(five), realPhoto: first(real) },
      };
    }),
  );
}

/** Everybody as the mean feature of the photos that neither went in nor are the target, `[people, D]`. */
function galleryOf({ people, photos }: Pick<JudgedTest, "people" | "photos">, task: GenerationTask, known: Tensor) {
  const places = galleryPlaces(people, task);
  return scope(() =>
    stack(
      people.ids.map((_, person) => {
        const own = people.rowsOf(person);
        const there = places.filter((place) => place < own.length).map((place) => own[place]);
        return rowsOf(known, (there.length > 0 ? there : own).map(photos.place)).mean([0]);
      }),
    ),
  );
}

function firstAmong(galleries: readonly Tensor[], tasks: readonly GenerationTask[], drawn: Tensor): Groups[number] {
  return tasks.map((task, number) =>
    scope(() => {
      const away = galleries[number].sub(drawn.select(0, number)).square().sum([1]);
      return Number(away.argmin().item() === task.person);
    }),
  );
}
