import { bootstrapOver, type Estimate, type SceneGroup, type SceneWords } from "@omni-id/data";
import { noGrad, scope, type Tensor } from "@omni-id/torch";
import type { ScenePrompt } from "./prompts.ts";

/** What comes along from the photo that goes in first, though nobody asked for it. 0: nothing. */
export interface Leakage {
  /** Correlation of the colour of the picture's upper border with the photo's, mean of three channels. */
  background: Estimate;
  /** How much oftener glasses are seen that no prompt speaks of, where the photo has them. */
  glasses: Estimate | undefined;
  /** How much oftener the photo's expression is seen, where the prompt asks for another one, than without an identity. */
  expression: Estimate | undefined;
}

export interface LeakageTest {
  prompts: readonly ScenePrompt[];
  /** What the first photo of each person shows, and its border's colour. */
  photos: readonly { words: SceneWords; border: readonly number[] }[];
}

/** Pictures of an arm, with the same of nobody's identity. */
export interface LeakagePictures {
  words: readonly SceneWords[];
  borders: readonly (readonly number[])[];
  bare: readonly SceneWords[];
}

/** Mean colour of the upper corners of pictures `[N, 3, S, S]`, where no person is. */
export function borderColours(pictures: Tensor): number[][] {
  return scope(() =>
    noGrad(() => {
      const [, , height, width] = pictures.shape;
      const [down, across] = [Math.max(1, height >> 2), Math.max(1, width >> 3)];
      const top = pictures.narrow(2, 0, down);
      const sides = [top.narrow(3, 0, across), top.narrow(3, width - across, across)];
      const [left, right] = sides.map((side) => side.mean([2, 3]));
      return left.add(right).mul(0.5).tolist() as number[][];
    }),
  );
}

export function leakageOf({ prompts, photos }: LeakageTest, { words, borders, bare }: LeakagePictures): Leakage {
  const people = photos.length;
  const each = prompts.length;
  const places = (person: number) => Array.from({ length: each }, (_, i) => person * each + i);
  const background = bootstrapOver(people, (drawn) => {
    const pairs = drawn.flatMap((person) =>
      places(person).map((place) => [photos[person].border, borders[place]] as const),
    );
    const channels = [0, 1, 2].map((c) =>
      correlation(
        pairs.map(([photo]) => photo[c]),
        pairs.map(([, picture]) => picture[c]),
      ),
    );
    return channels.reduce((sum, value) => sum + value, 0) / channels.length;
  });

  const silent = [...prompts.keys()].filter((i) => prompts[i].asks.glasses === undefined);
  const seen = (person: number) => silent.map((i) => Number(words[person * each + i].glasses === "glasses"));
  const wears = (person: number) => photos[person].words.glasses === "glasses";
  const everybody = [...photos.keys()];
  const mixed = everybody.some(wears) && !everybody.every(wears) && silent.length > 0;
  const glasses = mixed
    ? bootstrapOver(people, (drawn) => {
        const [with_, without] = [drawn.filter(wears), drawn.filter((person) => !wears(person))];
        return mean(with_.flatMap(seen)) - mean(without.flatMap(seen));
      })
    : undefined;

  const others = everybody.map((person) => {
    const own = photos[person].words.expression;
    return places(person).filter(
      (place) => own && prompts[place % each].asks.expression && prompts[place % each].asks.expression !== own,
    );
  });
  const told = others.some((list) => list.length > 0);
  const expression = told
    ? bootstrapOver(people, (drawn) =>
        mean(
          drawn.flatMap((person) =>
            others[person].map((place) => {
              const own = photos[person].words.expression;
              return Number(words[place].expression === own) - Number(bare[place].expression === own);
            }),
          ),
        ),
      )
    : undefined;
  return { background, glasses, expression };
}

/** How often a word of the person's own is seen where no prompt speaks of it (and no hat hides it), a list a person. */
export function heldWord(
  words: readonly SceneWords[],
  { prompts, truth, group }: { prompts: readonly ScenePrompt[]; truth: readonly SceneWords[]; group: SceneGroup },
): number[][] {
  const each = prompts.length;
  const free = [...prompts.keys()].filter((i) => {
    const { asks } = prompts[i];
    return asks[group] === undefined && (asks.hat === undefined || asks.hat === "none");
  });
  return truth.map((own, person) =>
    own[group] === undefined ? [] : free.map((i) => Number(words[person * each + i][group] === own[group])),
  );
}

const mean = (values: readonly number[]) =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

/** Pearson's; 0 where one of them does not vary. */
export function correlation(a: readonly number[], b: readonly number[]): number {
  const [ma, mb] = [mean(a), mean(b)];
  const sum = (of: (i: number) => number) => a.reduce((total, _, i) => total + of(i), 0);
  const shared = sum((i) => (a[i] - ma) * (b[i] - mb));
  const spread = Math.sqrt(sum((i) => (a[i] - ma) ** 2) * sum((i) => (b[i] - mb) ** 2));
  return spread < 1e-12 ? 0 : shared / spread;
}
