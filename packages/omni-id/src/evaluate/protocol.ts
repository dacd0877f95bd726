import { atLeast } from "../few-to-many.ts";
import { LEAST_TESTED } from "../people/people.ts";

/** One test of a held-out person: identities are made from the first 1, 3 or 5 inputs, targets are never among them. */
export interface HeldOutTask {
  /** Rows of the input photos; a test with fewer photos takes the first ones. */
  inputs: number[];
  /** Rows of the photos to reconstruct. */
  targets: number[];
  person: number;
}

/** Input counts of the paper's tables. */
export const INPUT_COUNTS = [1, 3, 5] as const;
export type InputCount = (typeof INPUT_COUNTS)[number];
/** The same as keys of a report. */
export type CountKey = `${InputCount}`;

/** A figure at each input count. */
export function eachCount<T>(of: (inputs: InputCount) => T): Record<CountKey, T> {
  return { "1": of(1), "3": of(3), "5": of(5) };
}

const ROTATIONS = 4;
const INPUTS = [0, 3, 6, 1, 4];
const TARGETS = [2, 5, 7];

/** Photos of a person that take part. */
const PHOTOS = INPUTS.length + TARGETS.length;

/** Whom tests are made of: the rows of each person. */
interface Tested {
  readonly ids: readonly string[];
  rowsOf(person: number): readonly number[];
}

/**
 * Four tests of each person: eight photos, turned by 0, 2, 4 and 6 places, give five inputs and three targets. Of
 * fewer photos one at least stays a target; inputs and targets that are missing are those there are once more, so that
 * every test has five and three. Nothing is drawn by chance, so every model answers the same questions.
 * @throws when a person has a single photo (see `People.withPhotos`)
 */
export function heldOutTasks(people: Tested): HeldOutTask[] {
  return [...people.ids.keys()].flatMap((person) => {
    const photos = people.rowsOf(person).slice(0, PHOTOS);
    if (photos.length < LEAST_TESTED) {
      throw new Error(`${people.ids[person]} has ${photos.length} photo; a test wants at least ${LEAST_TESTED}`);
    }
    return Array.from({ length: ROTATIONS }, (_, turn): HeldOutTask => {
      const first = Math.floor((turn * photos.length) / ROTATIONS);
      const row = (place: number) => photos[(first + place) % photos.length];
      if (photos.length === PHOTOS) return { person, inputs: INPUTS.map(row), targets: TARGETS.map(row) };
      const turned = photos.map((_, place) => row(place));
      const given = Math.min(INPUTS.length, photos.length - 1);
      return {
        person,
        inputs: atLeast(turned.slice(0, given), INPUTS.length),
        targets: atLeast(turned.slice(given), TARGETS.length),
      };
    });
  });
}

/**
 * The task whose identity stands in as "somebody else": the same turn of another person, seven further on where there
 * are so many.
 * @throws when there is only one person
 */
export function otherTask(task: number, tasks: number): number {
  const people = tasks / ROTATIONS;
  if (people < 2) throw new RangeError("one held-out person: there is nobody else to compare with; two are the least");
  return (task + (1 + (6 % (people - 1))) * ROTATIONS) % tasks;
}

/**
 * The next place, going round in a group of `size` places, that shows another photo: "another real view". Of people with
 * few photos one stands there several times. @returns undefined where the group has no other photo
 */
export function nextPhoto(rows: readonly number[], place: number, size: number): number | undefined {
  const first = place - (place % size);
  for (let step = 1; step < size; step++) {
    const other = first + ((place - first + step) % size);
    if (rows[other] !== rows[place]) return other;
  }
  return undefined;
}
