import { type Groups, outlierBounds } from "@omni-id/data";
import { cat, scope, stack, type Tensor } from "@omni-id/torch";
import { chunk } from "../people/chunk.ts";
import type { People } from "../people/people.ts";
import { toUnit } from "../pictures/rgb-batch.ts";
import { mapValues, type Values } from "./figures.ts";
import { type Generated, type GenerationTask, rowsOf } from "./generation-protocol.ts";
import type { Judge, Judges } from "./recognisers.ts";

export type GeneratedOrReal = Generated | "samePerson" | "otherPerson";

/** What likeness is measured on. */
export interface LikenessTest {
  people: People;
  tasks: readonly GenerationTask[];
  judges: Judges<Judge>;
}

/**
 * Likeness of pictures to their targets, by each judge, one list a person.
 * @param points five landmarks of each picture, `[tasks, 5, 2]`
 */
export function likenessOf(
  { people, tasks, judges }: LikenessTest,
  pictures: Partial<Record<Generated, Tensor>>,
  points: Tensor,
): Judges<Values<GeneratedOrReal>> {
  return mapValues(judges, (judge) =>
    scope(() => {
      const { truth, compared } = featuresOf(judge, { people, tasks }, pictures, points);
      return mapValues(compared, (features) => byPerson(judge.compare(features, truth), people));
    }),
  ) as Judges<Values<GeneratedOrReal>>;
}

/**
 * A judge's features of the targets, and of all that is compared with them: drawn pictures, another photo of the person
 * and one of somebody else. @param points five landmarks of each drawn picture, `[tasks, 5, 2]`
 */
export function featuresOf<Drawn extends string>(
  judge: Judge,
  { people, tasks }: Omit<LikenessTest, "judges">,
  pictures: Partial<Record<Drawn, Tensor>>,
  points: Tensor,
): { truth: Tensor; compared: Record<Drawn | "samePerson" | "otherPerson", Tensor> } {
  const photos = (rows: readonly number[]) =>
    embedAll(judge, toUnit(rowsOf(people.crops, rows)), rowsOf(people.points, rows));
  const perTask = tasks.length / (people.ids.length * 4);
  const compared = {
    ...mapValues(pictures as Record<Drawn, Tensor>, (some) => embedAll(judge, some, points)),
    samePerson: photos(tasks.map(({ inputs }) => inputs[0])),
    otherPerson: photos(tasks.map(({ other }) => tasks[other * perTask].target)),
  } as Record<Drawn | "samePerson" | "otherPerson", Tensor>;
  return { truth: photos(tasks.map(({ target }) => target)), compared };
}

/**
 * Places of a person's photos that a picture is not compared with: the inputs at every count, and the target. The other
 * ones are the gallery, the same whatever the count.
 */
export function galleryPlaces(people: People, { person, target, inputs }: GenerationTask): number[] {
  const left = new Set([target, ...inputs].map((row) => people.imageOf(row)));
  const places = [...people.rowsOf(person).keys()];
  const gallery = places.filter((place) => !left.has(place));
  if (gallery.length > 0) return gallery;
  // Of few photos all are inputs but the target.
  return places.filter((place) => place !== people.imageOf(target));
}

/**
 * Whether each picture's nearest of all held-out people, by the independent recogniser, is the right one: 1 or 0, one
 * list a person. A person is the mean feature of the photos at {@link galleryPlaces}.
 */
export function firstOf({ people, tasks, judges }: LikenessTest, pictures: Tensor, points: Tensor): Groups {
  return scope(() => {
    const all = people.ids.flatMap((_, person) => people.rowsOf(person));
    const photos = embedAll(judges.independent, toUnit(rowsOf(people.crops, all)), rowsOf(people.points, all));
    const made = embedAll(judges.independent, pictures, points);
    let next = 0;
    const offsets = people.ids.map((_, person) => people.rowsOf(person).map(() => next++));
    const right = tasks.map((task, number) =>
      scope(() => {
        const places = galleryPlaces(people, task);
        // Whoever has fewer photos stands there by those they have.
        const means = stack(
          offsets.map((own) => {
            const there = places.filter((place) => place < own.length);
            return rowsOf(photos, there.length > 0 ? there.map((place) => own[place]) : own).mean([0]);
          }),
        );
        return means.sub(made.select(0, number)).square().sum([1]).argmin().item() === task.person;
      }),
    );
    return byPerson(right.map(Number), people);
  });
}

const EPSILON = 1e-6;

/** θ(a, b) = arccos(clip(â · b̂, −1, 1)) with x̂ = x / (‖x‖ + 1e-6), radians. */
export function angle(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const dot = (x: ArrayLike<number>, y: ArrayLike<number>) => Array.from(x).reduce((sum, v, i) => sum + v * y[i], 0);
  const length = (x: ArrayLike<number>) => Math.sqrt(dot(x, x)) + EPSILON;
  return Math.acos(Math.min(1, Math.max(-1, dot(a, b) / (length(a) * length(b)))));
}

/**
 * Copy-paste score as WithAnyone's benchmark computes it (MultiID-Bench, arcface_metric.py):
 * (θ(g, t) − θ(g, r)) / θ(t, r), 0 where θ(t, r) < 1e-6. +1 copies the reference r, −1 meets the target t exactly.
 * @param g feature of the picture @param t of the true photo of that scene @param r of the reference photo
 */
export function copyPaste(g: ArrayLike<number>, t: ArrayLike<number>, r: ArrayLike<number>): number {
  const apart = angle(t, r);
  return apart < EPSILON ? 0 : (angle(g, t) - angle(g, r)) / apart;
}

/**
 * {@link copyPaste} of each picture by the independent recogniser, one list a person. r is the first input photo: it
 * is among the inputs at every count, and chosen before anybody looks at the picture.
 */
export function copyPasteScores({ people, tasks, judges }: LikenessTest, pictures: Tensor, points: Tensor): Groups {
  return scope(() => {
    const judge = judges.independent;
    const photos = (rows: readonly number[]) =>
      embedAll(judge, toUnit(rowsOf(people.crops, rows)), rowsOf(people.points, rows)).tolist() as number[][];
    const [made, targets, references] = [
      embedAll(judge, pictures, points).tolist() as number[][],
      photos(tasks.map(({ target }) => target)),
      photos(tasks.map(({ inputs }) => inputs[0])),
    ];
    const scores = tasks.map((_, i) => copyPaste(made[i], targets[i], references[i]));
    return byPerson(scores, people);
  });
}

/** The same without 1.5·IQR outliers, as that benchmark averages them; people with nothing left are left out. */
export function withoutOutliers(groups: Groups): Groups {
  const [low, high] = outlierBounds(groups.flat());
  return groups.map((values) => values.filter((v) => v >= low && v <= high)).filter((values) => values.length > 0);
}

export function byPerson(values: readonly number[], people: People): Groups {
  return chunk(values, values.length / people.ids.length);
}

export function embedAll(judge: Judge, pictures: Tensor, points: Tensor): Tensor {
  return scope(() => {
    const rows = [...Array(pictures.shape[0]).keys()];
    const parts = chunk(rows, 64).map((some) =>
      scope(() => judge.embed(rowsOf(pictures, some), rowsOf(points, some)).float()),
    );
    return cat(parts);
  });
}
