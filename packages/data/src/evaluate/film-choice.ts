import type { FaceTruth } from "../film/film.ts";
import { KeyedRandom } from "../random.ts";
import { bootstrap, type Estimate, mean } from "../statistics.ts";
import { type MatchedFace, type MatchedFilm, measured, shapeDistance } from "./film-truth.ts";

/** Eight faces of a person, chosen in some way. */
export interface ChoiceReport {
  /** Mean distance of two of the eight in true yaw and pitch, degrees. */
  spread: Estimate;
  /** Cells of 10° of true yaw and pitch that the eight lie in. */
  cells: Estimate;
  /** Their mean quality, by the measure that they were chosen by. */
  quality: Estimate;
  /** Their mean true motion blur, pixels. */
  blur: Estimate;
  /** Share of faces with a twin among the eight: true shapes that differ by less than 1 % of the eye distance. */
  twins: Estimate;
}

/** Over the kept people, from the same faces of each; random is the mean of 200 draws. */
export type ChoicesReport = Record<"curated" | "random" | "equallySpaced", ChoiceReport> & {
  n: number;
  /** Spread of the curated eight over that of random ones, and of equally spaced ones. */
  spreadOverRandom: Estimate;
  spreadOverEquallySpaced: Estimate;
};

type TrueFace = MatchedFace & { truth: FaceTruth };

const DRAWS = 200;

/** The curated eight beside eight random ones and eight at equal distances in time. */
export function compareChoices(films: readonly MatchedFilm[], images: number, seed: number): ChoicesReport {
  const rows: Record<"curated" | "random" | "equallySpaced", Scores[]> = { curated: [], random: [], equallySpaced: [] };
  for (const { faces, outcome } of films) {
    for (const { person } of outcome.people.filter(({ pictures }) => pictures > 0)) {
      const pool = faces.filter(
        (face): face is TrueFace => face.seen.person === person && face.truth !== undefined && measured(face),
      );
      if (pool.length < images) continue;
      const random = new KeyedRandom(seed, rows.random.length, 0xc401ce);
      const draws = Array.from({ length: DRAWS }, () => scores(random.choose(pool.length, images).map((i) => pool[i])));
      rows.curated.push(scores(pool.filter(({ seen }) => seen.picture !== undefined)));
      rows.random.push(averaged(draws));
      rows.equallySpaced.push(
        scores(Array.from({ length: images }, (_, i) => pool[Math.round((i * (pool.length - 1)) / (images - 1))])),
      );
    }
  }
  const estimate = (values: readonly number[]) =>
    bootstrap(
      values.map((value) => [value]),
      { seed },
    );
  const report = (list: readonly Scores[]): ChoiceReport => ({
    spread: estimate(list.map(({ spread }) => spread)),
    cells: estimate(list.map(({ cells }) => cells)),
    quality: estimate(list.map(({ quality }) => quality)),
    blur: estimate(list.map(({ blur }) => blur)),
    twins: estimate(list.map(({ twins }) => twins)),
  });
  const wider = (than: "random" | "equallySpaced") =>
    estimate(rows.curated.map(({ spread }, i) => spread / rows[than][i].spread));
  return {
    n: rows.curated.length,
    curated: report(rows.curated),
    random: report(rows.random),
    equallySpaced: report(rows.equallySpaced),
    spreadOverRandom: wider("random"),
    spreadOverEquallySpaced: wider("equallySpaced"),
  };
}

type Scores = Record<keyof ChoiceReport, number>;

/** Shapes nearer than this, over the eye distance, are twins. */
const TWIN = 0.01;
const CELL = 10;

function scores(faces: readonly TrueFace[]): Scores {
  const distances: number[] = [];
  const twin = new Set<TrueFace>();
  for (const [i, a] of faces.entries()) {
    for (const b of faces.slice(i + 1)) {
      distances.push(Math.hypot(a.truth.pose.yaw - b.truth.pose.yaw, a.truth.pose.pitch - b.truth.pose.pitch));
      if (shapeDistance(a.truth, b.truth) < TWIN) twin.add(a).add(b);
    }
  }
  const cells = new Set(
    faces.map(({ truth: { pose } }) => `${Math.floor(pose.yaw / CELL)} ${Math.floor(pose.pitch / CELL)}`),
  );
  return {
    spread: mean(distances),
    cells: cells.size,
    quality: mean(faces.map(({ seen }) => seen.quality ?? 0)),
    blur: mean(faces.map(({ truth }) => truth.blur)),
    twins: twin.size / faces.length,
  };
}

function averaged(draws: readonly Scores[]): Scores {
  const keys = Object.keys(draws[0]) as (keyof Scores)[];
  return Object.fromEntries(keys.map((key) => [key, mean(draws.map((draw) => draw[key]))])) as Scores;
}
