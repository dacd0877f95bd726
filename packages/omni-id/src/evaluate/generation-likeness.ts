import { bootstrap, type Estimate } from "@omni-id/data";
import { cat, F, scope, type Tensor } from "@omni-id/torch";
import { chunk } from "../people/chunk.ts";
import type { People } from "../people/people.ts";
import { toUnit } from "../pictures/rgb-batch.ts";
import { GENERATED, type Generated, type GenerationTask, rowsOf } from "./generation-protocol.ts";
import type { Judge, loadJudges } from "./recognisers.ts";

/** One recogniser's word on the pictures against their targets, with its own bounds. */
export type GenerationRecogniser = { measure: Judge["measure"] } & Record<
  Generated | "samePerson" | "otherPerson",
  Estimate
>;
export type GenerationRecognisers = Record<"independent" | "backbone", GenerationRecogniser>;

/** What likeness is measured on. */
export interface LikenessTest {
  people: People;
  tasks: readonly GenerationTask[];
  judges: ReturnType<typeof loadJudges>;
}

/** Likeness of pictures to their targets. @param points five landmarks of each picture, `[tasks, 5, 2]` */
export function likenessOf(
  { people, tasks, judges }: LikenessTest,
  pictures: Partial<Record<Generated, Tensor>>,
  points: Tensor,
): GenerationRecognisers {
  const perPerson = (values: number[]) => chunk(values, tasks.length / people.ids.length);
  const judge = (one: Judge): GenerationRecogniser =>
    scope(() => {
      const photo = (rows: readonly number[]) =>
        embedAll(one, toUnit(rowsOf(people.crops, rows)), rowsOf(people.points, rows));
      const truth = photo(tasks.map(({ target }) => target));
      const estimate = (other: Tensor) => bootstrap(perPerson(one.compare(other, truth)));
      const made = GENERATED.flatMap((name) => {
        const some = pictures[name];
        return some ? [[name, estimate(embedAll(one, some, points))] as const] : [];
      });
      const perTask = tasks.length / (people.ids.length * 4);
      return {
        measure: one.measure,
        ...(Object.fromEntries(made) as Record<Generated, Estimate>),
        samePerson: estimate(photo(tasks.map(({ inputs }) => inputs[0]))),
        otherPerson: estimate(photo(tasks.map(({ other }) => tasks[other * perTask].target))),
      };
    });
  return { independent: judge(judges.independent), backbone: judge(judges.backbone) };
}

/**
 * Share of pictures whose nearest of all held-out people, by the independent recogniser, is the right one. A person
 * is the mean feature of the photos that are neither the target's place nor the first input's.
 */
export function shareFirst({ people, tasks, judges }: LikenessTest, pictures: Tensor, points: Tensor): number {
  return scope(() => {
    const all = people.ids.flatMap((_, person) => people.rowsOf(person));
    const photos = embedAll(judges.independent, toUnit(rowsOf(people.crops, all)), rowsOf(people.points, all));
    const made = embedAll(judges.independent, pictures, points);
    const right = tasks.map(({ target, inputs, person }, task) => {
      const left = [target, inputs[0]].map((row) => row % people.images);
      const rows = people.ids.flatMap((_, other) => people.rowsOf(other).filter((_, place) => !left.includes(place)));
      const means = rowsOf(photos, rows).unflatten(0, [people.ids.length, -1]).mean([1]);
      return means.sub(made.select(0, task)).square().sum([1]).argmin().item() === person;
    });
    return right.filter(Boolean).length / tasks.length;
  });
}

/**
 * Copy-paste score of each picture (WithAnyone, 2025): (θ(g, t) − θ(g, r)) / θ(t, r) with angles between features, t
 * the target and r the input photo nearest to the picture g. Above 0: nearer to the input than to the target.
 */
export function copyPasteScores({ people, tasks, judges }: LikenessTest, pictures: Tensor, points: Tensor): number[] {
  return scope(() => {
    const judge = judges.independent;
    const unit = (features: Tensor) => F.normalize(features, { dim: 1 });
    const all = people.ids.flatMap((_, person) => people.rowsOf(person));
    const photos = unit(embedAll(judge, toUnit(rowsOf(people.crops, all)), rowsOf(people.points, all)));
    const made = unit(embedAll(judge, pictures, points));
    const angle = (a: Tensor, b: Tensor) => Math.acos(Math.min(1, Math.max(-1, a.mul(b).sum().item())));
    return tasks.map(({ target, inputs }, task) =>
      scope(() => {
        const g = made.select(0, task);
        const t = photos.select(0, target);
        const references = inputs.slice(0, 3).map((row) => photos.select(0, row));
        const r = references.reduce((best, one) => (angle(g, one) < angle(g, best) ? one : best));
        return (angle(g, t) - angle(g, r)) / Math.max(angle(t, r), 1e-3);
      }),
    );
  });
}

function embedAll(judge: Judge, pictures: Tensor, points: Tensor): Tensor {
  return scope(() => {
    const rows = [...Array(pictures.shape[0]).keys()];
    const parts = chunk(rows, 64).map((some) =>
      scope(() => judge.embed(rowsOf(pictures, some), rowsOf(points, some)).float()),
    );
    return cat(parts);
  });
}
