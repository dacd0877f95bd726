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

/**
 * Four tests of each person: the eight photos, turned by 0, 2, 4 and 6 places, give five inputs and three targets.
 * Nothing is drawn by chance, so every model answers the same questions.
 */
export function heldOutTasks(people: number, images: number): HeldOutTask[] {
  if (images !== 8) throw new Error(`the held-out protocol wants 8 photos of each person, not ${images}`);
  const tasks: HeldOutTask[] = [];
  for (let person = 0; person < people; person++) {
    for (let turn = 0; turn < images; turn += images / ROTATIONS) {
      const row = (place: number) => person * images + ((turn + place) % images);
      tasks.push({ person, inputs: INPUTS.map(row), targets: TARGETS.map(row) });
    }
  }
  return tasks;
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
