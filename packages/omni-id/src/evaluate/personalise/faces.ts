import { type Groups, mean } from "@omni-id/data";
import { F, noGrad, scope, type Tensor, tensor } from "@omni-id/torch";
import { chunk } from "../../people/chunk.ts";
import type { People } from "../../people/people.ts";
import { toUnit } from "../../pictures/rgb-batch.ts";
import type { FoundFace } from "../generated-faces.ts";
import { copyPaste, embedAll } from "../generation-likeness.ts";
import { rowsOf } from "../generation-protocol.ts";
import type { Judge } from "../recognisers.ts";

/** What a recogniser says of people's own pictures: features of length 1. */
export interface KnownFaces {
  /** Of each person the scenes, which nothing was drawn from, `[scenes, D]`. */
  scenes: Tensor[];
  /** Of each person the photo that goes in first, `[D]`. */
  first: Tensor[];
  judge: Judge;
}

/** The faces of a set's own pictures, by their own landmarks. @param scenes whole scenes @param photos faces beside them */
export function knownFaces(judge: Judge, scenes: People, photos: People): KnownFaces {
  const embed = (people: People, rows: readonly number[]) =>
    noGrad(() => unit(judge, toUnit(people.cropsOf(rows)), people.pointsOf(rows)));
  const persons = [...scenes.ids.keys()];
  return {
    judge,
    scenes: persons.map((person) => embed(scenes, scenes.rowsOf(person)).keep()),
    first: persons.map((person) => scope(() => embed(photos, [photos.row(person, 0)]).squeeze(0)).keep()),
  };
}

/** Likeness of drawn scenes to the people whom they are to show; a list a person. */
export interface SceneLikeness {
  /** Cosine to the person's own scenes, in the mean; where no face is found, that of a stranger. */
  likeness: Groups;
  /** That less the cosine to everybody else's scenes, in the mean: 0 where nobody's face was drawn, or none. */
  ownLess: Groups;
  /** 1 where nobody else's scenes are nearer, else 0. */
  first: Groups;
  /** Copy-paste score of the pictures in which there is a face; `copyPaste` in generation-likeness.ts. */
  copied: Groups;
  /** Share of pictures in which the detector finds a face. */
  detected: number;
}

/** @param faces what the detector found in each picture */
export function likenessOfScenes(
  known: KnownFaces,
  pictures: Tensor,
  faces: readonly (FoundFace | undefined)[],
): SceneLikeness {
  const there = [...faces.keys()].filter((i) => faces[i]);
  const least = mean(strangers(known).flat());
  const each = pictures.shape[0] / known.scenes.length;
  const likeness = Array.from(faces, () => least);
  const ownLess = Array.from(faces, () => 0);
  const first = Array.from(faces, () => 0);
  const copied: (number | undefined)[] = faces.map(() => undefined);
  scope(() =>
    noGrad(() => {
      if (there.length === 0) return;
      const points = there.map((i) => [...(faces[i]?.points ?? [])]);
      const made = unit(known.judge, rowsOf(pictures, there), tensor(points, { dtype: "float32" }).view([-1, 5, 2]));
      for (const [place, i] of there.entries()) {
        const person = Math.floor(i / each);
        const own = known.scenes[person];
        const one = made.select(0, place);
        const near = known.scenes.map((scenes) => scenes.matmul(one).mean().item());
        const others = near.filter((_, other) => other !== person);
        likeness[i] = near[person];
        ownLess[i] = near[person] - mean(others);
        first[i] = Number(others.every((other) => other < near[person]));
        const [g, t, r] = [one, own.mean([0]), known.first[person]].map((feature) => feature.tolist() as number[]);
        copied[i] = copyPaste(g, t, r);
      }
    }),
  );
  return {
    likeness: chunk(likeness, each),
    ownLess: chunk(ownLess, each),
    first: chunk(first, each),
    copied: chunk(copied, each).map((some) => some.filter((one) => one !== undefined)),
    detected: there.length / faces.length,
  };
}

/** Each person's scenes against each other: no pair shares a picture. */
export function samePeople({ scenes }: KnownFaces): Groups {
  return scenes.map((own) =>
    scope(() => {
      const all = own.matmul(own.t()).tolist() as number[][];
      return all.flatMap((row, i) => row.slice(i + 1));
    }),
  );
}

/** Each person's scenes against the next one's. */
export function strangers({ scenes }: KnownFaces): Groups {
  return scenes.map((own, person) =>
    scope(() => (own.matmul(scenes[(person + 1) % scenes.length].t()).tolist() as number[][]).flat()),
  );
}

const unit = (judge: Judge, pictures: Tensor, points: Tensor): Tensor =>
  scope(() => F.normalize(embedAll(judge, pictures, points), { dim: 1 }));
