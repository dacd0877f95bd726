import { join } from "node:path";
import { outcomes } from "../curate/assemble.ts";
import { curate } from "../curate/curate.ts";
import type { SetResult } from "../curate/make-set.ts";
import type { CurateSettings } from "../curate/settings.ts";
import { findFfmpeg } from "../curate/video/ffmpeg.ts";
import { drawFilmSet } from "../film/film-set.ts";
import { shootFilms } from "../film/shoot-films.ts";
import { type Provenance, provenance } from "../provenance.ts";
import { type Estimate, mean, type Rate, rate } from "../statistics.ts";
import { type ChoicesReport, compareChoices } from "./film-choice.ts";
import { type CutReport, compareCuts } from "./film-cuts.ts";
import { type MatchedFilm, matchFilm, measured, VISIBLE } from "./film-truth.ts";
import { type LadderResult, measureQualityLadder } from "./quality-ladder.ts";

export interface CurationReport {
  provenance: Provenance;
  settings: CurateSettings;
  films: { count: number; frames: number; people: number };
  detection: {
    /** Visible true faces in the frames looked at that were found. */
    recall: Rate;
    /** Faces found that are true ones. */
    precision: Rate;
  };
  cuts: CutReport;
  /** Mean absolute error of measured faces, degrees; `sum` is the paper's pose error. */
  pose: { yaw: number; pitch: number; roll: number; sum: number; n: number };
  identity: {
    /** Share of an identity's pictures that show its main person. */
    purity: Rate;
    /** Identities that show one person only. */
    pure: Rate;
    /** True people with at least 8 measured faces who became exactly one identity. */
    complete: Rate;
    /** True people who became two identities or more. */
    split: Rate;
  };
  /** Over the kept people; random is the mean of 200 draws. */
  choice: ChoicesReport;
  quality: { pictures: number; damages: Record<string, LadderResult> };
}

export interface EvaluateCurationOptions {
  seed: number;
  /** Films of each of seven kinds. */
  rounds: number;
  settings: CurateSettings;
  /** Folder of films and set; an interrupted evaluation goes on from what is there. */
  work: string;
  onProgress?: (what: string, done: number, total: number) => void;
}

/** Films with truth → curation → what it got right. */
export async function evaluateCuration(
  options: EvaluateCurationOptions,
): Promise<{ report: CurationReport; result: SetResult }> {
  const { seed, rounds, settings, work, onProgress } = options;
  const films = drawFilmSet({ seed, rounds });
  const folder = join(work, "films");
  const truths = await shootFilms(films, {
    out: folder,
    ffmpeg: findFfmpeg().ffmpeg,
    onProgress: (done, total) => onProgress?.("frames filmed", done, total),
  });
  const result = await curate({
    sources: { videos: [folder] },
    out: join(work, "set"),
    settings,
    onProgress: ({ videos }) => onProgress?.("videos curated", videos.done, videos.total),
  });
  const byName = new Map([...outcomes(join(work, "set"))].map((outcome) => [outcome.video.video, outcome]));
  const matched = truths.flatMap((truth) => {
    const outcome = byName.get(truth.film.name);
    return outcome ? [matchFilm(truth, outcome, settings.fps)] : [];
  });
  const people = new Set(
    truths.flatMap(({ frames }) => frames.flatMap(({ faces }) => faces.map(({ person }) => person))),
  );
  const report: CurationReport = {
    provenance: provenance(seed),
    settings,
    films: {
      count: films.length,
      frames: truths.reduce((sum, { frames }) => sum + frames.length, 0),
      people: people.size,
    },
    detection: detection(matched),
    cuts: compareCuts(matched),
    pose: poseError(matched),
    identity: identity(matched, settings.images),
    choice: compareChoices(matched, settings.images, seed),
    quality: await measureQualityLadder(seed, 5 * rounds),
  };
  return { report, result };
}

function detection(films: readonly MatchedFilm[]): CurationReport["detection"] {
  const found: boolean[] = [];
  for (const { truth, faces, looked } of films) {
    for (const frame of looked) {
      const here = faces.filter((face) => face.frame === frame).map((face) => face.truth);
      for (const face of truth.frames[frame].faces) if (face.visible >= VISIBLE) found.push(here.includes(face));
    }
  }
  return {
    recall: rate(found),
    precision: rate(films.flatMap(({ faces }) => faces.map(({ truth }) => truth !== undefined))),
  };
}

function poseError(films: readonly MatchedFilm[]): CurationReport["pose"] {
  const errors = films.flatMap(({ faces }) =>
    faces.flatMap(({ seen: { pose }, truth }) =>
      pose && truth ? [(["yaw", "pitch", "roll"] as const).map((axis) => Math.abs(pose[axis] - truth.pose[axis]))] : [],
    ),
  );
  const [yaw, pitch, roll] = [0, 1, 2].map((axis) => mean(errors.map((error) => error[axis])));
  return { yaw, pitch, roll, sum: yaw + pitch + roll, n: errors.length };
}

function identity(films: readonly MatchedFilm[], images: number): CurationReport["identity"] {
  const shares: number[] = [];
  const made = new Map<string, number>();
  const able = new Set<string>();
  for (const { faces, outcome } of films) {
    const usable = countBy(faces.filter(measured).flatMap(({ truth }) => truth?.person ?? []));
    for (const [person, count] of usable) if (count >= images) able.add(person);
    for (const { person } of outcome.people.filter(({ pictures }) => pictures > 0)) {
      const kept = faces.filter(({ seen }) => seen.person === person && seen.picture !== undefined);
      const [[main, count] = ["", 0]] = [...countBy(kept.map(({ truth }) => truth?.person ?? "nobody"))].sort(
        (a, b) => b[1] - a[1],
      );
      shares.push(count / kept.length);
      made.set(main, (made.get(main) ?? 0) + 1);
    }
  }
  const all = [...able];
  return {
    purity: { value: mean(shares), n: shares.length },
    pure: rate(shares.map((share) => share === 1)),
    complete: rate(all.map((person) => made.get(person) === 1)),
    split: rate(all.map((person) => (made.get(person) ?? 0) > 1)),
  };
}

function countBy(values: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

/** The report as lines for people. */
export function describeCuration({
  films,
  detection: d,
  cuts,
  pose,
  identity: i,
  choice: c,
  quality,
}: CurationReport): string[] {
  const percent = ({ value, n }: Rate) => `${(100 * value).toFixed(1)} % (N = ${n})`;
  const number = ({ mean: value, ci }: Estimate, digits = 2) =>
    `${value.toFixed(digits)} [${ci.map((x) => x.toFixed(digits)).join(", ")}]`;
  const rows = (["curated", "random", "equallySpaced"] as const).map(
    (name) =>
      `  ${name.padEnd(14)} spread ${number(c[name].spread, 1)}° · cells ${number(c[name].cells, 1)} · quality ${number(c[name].quality)} · blur ${number(c[name].blur, 1)} px · twins ${number(c[name].twins)}`,
  );
  const damages = Object.entries(quality.damages).map(
    ([name, { ordered, pairs }]) => `${name} ${(100 * ordered).toFixed(0)} % of ${pairs}`,
  );
  return [
    `${films.count} films, ${films.frames} frames, ${films.people} people`,
    `faces found ${percent(d.recall)}, true ones among those found ${percent(d.precision)}`,
    `cuts to other people seen ${percent(cuts.toOthers)}, jumps within a scene ${percent(cuts.jumps)}; true ones among those seen ${percent(cuts.precision)}; people torn by a wrong one ${percent(cuts.torn)}`,
    `pose error ${pose.sum.toFixed(1)}° (yaw ${pose.yaw.toFixed(1)}, pitch ${pose.pitch.toFixed(1)}, roll ${pose.roll.toFixed(1)}; N = ${pose.n})`,
    `identities: purity ${percent(i.purity)}, wholly one person ${percent(i.pure)}; people made one identity ${percent(i.complete)}, split ${percent(i.split)}`,
    `eight of each of ${c.n} people (95 % intervals):`,
    ...rows,
    `  spread over random: ${number(c.spreadOverRandom)}, over equally spaced: ${number(c.spreadOverEquallySpaced)}`,
    `quality measure, strengths ordered rightly on ${quality.pictures} faces: ${damages.join(" · ")}`,
  ];
}
