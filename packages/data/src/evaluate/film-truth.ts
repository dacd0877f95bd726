import type { FaceLine, Outcome } from "../curate/outcome.ts";
import type { FaceTruth, FilmTruth, FrameTruth } from "../film/film.ts";

/** A face that the curation saw, and the true one. */
export interface MatchedFace {
  seen: FaceLine;
  /** Index of the film's frame. */
  frame: number;
  /** The true face; nothing where there is none. */
  truth?: FaceTruth;
}

/** A film as it was curated. */
export interface MatchedFilm {
  truth: FilmTruth;
  outcome: Outcome;
  faces: MatchedFace[];
  /** Indices of the film's frames that were looked at. */
  looked: number[];
}

/** Finds the true face behind every face that was seen. @param fps frames a second that the curation took */
export function matchFilm(truth: FilmTruth, outcome: Outcome, fps: number): MatchedFilm {
  const frameAt = (t: number) => Math.min(truth.frames.length - 1, Math.round(t * truth.film.fps));
  const taken = Math.round((truth.frames.length / truth.film.fps) * fps);
  return {
    truth,
    outcome,
    looked: Array.from({ length: taken }, (_, n) => frameAt(n / fps)),
    faces: outcome.faces.map((seen) => {
      const frame = frameAt(seen.t);
      return { seen, frame, truth: nearest(seen, truth.frames[frame]) };
    }),
  };
}

/** The true face whose middle lies in the box. */
function nearest({ box }: FaceLine, { faces }: FrameTruth): FaceTruth | undefined {
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const away = ({ landmarks }: FaceTruth) => Math.hypot(landmarks[60] - x, landmarks[61] - y);
  return faces.filter((face) => away(face) < box.width / 2).sort((a, b) => away(a) - away(b))[0];
}

/**
 * How much the shape of two faces differs once shift, scale and turn are taken out: mean distance of the landmarks over
 * the distance of the eyes' outer corners. Head turns and expressions both count.
 */
export function shapeDistance(a: FaceTruth, b: FaceTruth): number {
  const [one, two] = [centred(a.landmarks), centred(b.landmarks)];
  let [dot, cross, size] = [0, 0, 0];
  for (let i = 0; i < 136; i += 2) {
    dot += one[i] * two[i] + one[i + 1] * two[i + 1];
    cross += one[i] * two[i + 1] - one[i + 1] * two[i];
    size += one[i] ** 2 + one[i + 1] ** 2;
  }
  const [c, s] = [dot / size, cross / size];
  let sum = 0;
  for (let i = 0; i < 136; i += 2) {
    sum += Math.hypot(c * one[i] - s * one[i + 1] - two[i], s * one[i] + c * one[i + 1] - two[i + 1]);
  }
  return sum / 68 / Math.hypot(two[72] - two[90], two[73] - two[91]);
}

function centred(points: readonly number[]): number[] {
  const mean = [0, 1].map((k) => points.filter((_, i) => i % 2 === k).reduce((sum, value) => sum + value, 0) / 68);
  return points.map((value, i) => value - mean[i % 2]);
}

/** Whether a face passed all measurements, so that it could have been taken. */
export const measured = ({ seen }: MatchedFace) =>
  seen.quality !== undefined && !["unclear", "turned", "edge", "small"].includes(seen.why ?? "");

/** A face counts as visible when nearly all of its landmarks are in the picture. */
export const VISIBLE = 0.95;
