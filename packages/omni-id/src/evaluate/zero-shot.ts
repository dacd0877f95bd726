import { readSceneWords, SCENE_WORDS } from "@omni-id/data";
import { autocast, noGrad, preferredPrecision, scope, type Tensor, tensor } from "@omni-id/torch";
import { asClipSees } from "../backbones/clip.ts";
import type { People } from "../people/people.ts";
import { type ClipWithWords, clipIds } from "../weights/clip.ts";

/** A question that a sentence each answers. */
interface Question {
  /** Possible answers, and the sentence that says so. */
  answers: Readonly<Record<string, string>>;
  /** The answer of a caption; undefined where it does not tell. */
  truth: (caption: string) => string | undefined;
}

const asked = (words: readonly string[], sentence: (word: string) => string) =>
  Object.fromEntries(words.map((word) => [word, sentence(word)]));

/** What pictures are asked in words alone: no layer was trained for any of it. */
export const QUESTIONS: Readonly<Record<string, Question>> = {
  sex: {
    answers: asked(["man", "woman"], (word) => `a photo of a ${word}`),
    truth: (caption) => / (man|woman) /.exec(` ${caption} `)?.[1],
  },
  hairColour: {
    answers: asked(SCENE_WORDS.hairColour, (word) => `a photo of a person with ${word} hair`),
    truth: (caption) => readSceneWords(caption).hairColour,
  },
  hairLength: {
    answers: asked(SCENE_WORDS.hairLength, (word) =>
      word === "bald" ? "a photo of a person with a bald head" : `a photo of a person with ${word} hair`,
    ),
    truth: (caption) => readSceneWords(caption).hairLength,
  },
  place: {
    answers: asked(SCENE_WORDS.place, (word) => `a photo of a person, ${word}`),
    truth: (caption) => readSceneWords(caption).place,
  },
  hat: {
    answers: asked(SCENE_WORDS.hat, (word) => `a photo of a person with ${word === "none" ? "no hat" : `a ${word}`}`),
    truth: (caption) => readSceneWords(caption).hat,
  },
  garmentColour: {
    answers: asked(SCENE_WORDS.garmentColour, (word) => `a photo of a person in ${word}`),
    truth: (caption) => readSceneWords(caption).garmentColour,
  },
  pose: {
    answers: asked(["facing the camera", "to the left", "to the right"], (word) =>
      word.startsWith("to") ? `a photo of a person turned ${word}` : `a photo of a person ${word}`,
    ),
    truth: (caption) => /facing the camera|to the (?:left|right)/.exec(caption)?.[0],
  },
};

/**
 * Shares of right answers to {@link QUESTIONS} on people whom the towers have not met, and of photos that find their own
 * caption first among one of everybody.
 * @param see what the image tower looks at in [−1, 1], `[rows, 3, S, S]`
 */
export function zeroShot(
  clip: ClipWithWords,
  people: People,
  see: (rows: readonly number[]) => Tensor,
): Record<string, number> {
  return scope(() =>
    noGrad(() =>
      autocast({ dtype: "bfloat16", enabled: preferredPrecision() === "bfloat16" }, () => {
        const { rows } = people;
        const images = clip.model.images(asClipSees(see(rows))).float();
        const texts = (sentences: readonly string[]) => clip.model.texts(clipIds(clip, sentences)).float();
        const shares = Object.entries(QUESTIONS).flatMap(([name, { answers, truth }]) => {
          const words = Object.keys(answers);
          const read = images
            .matmul(texts(Object.values(answers)).t())
            .argmax(1)
            .tolist() as number[];
          const known = rows.flatMap((row, i) => {
            const answer = truth(people.captions[row]);
            return answer === undefined ? [] : [words[read[i]] === answer];
          });
          return known.length === 0 ? [] : [[name, known.filter(Boolean).length / known.length] as const];
        });
        const persons = [...people.ids.keys()];
        const captions = persons.map((person) => people.captions[people.row(person, 0)]);
        const place = new Map(rows.map((row, i) => [row, i]));
        const firsts = persons.map((person) => place.get(people.row(person, 0)) ?? 0);
        const own = images.indexSelect(0, tensor(firsts, { dtype: "int64" }));
        const found = own.matmul(texts(captions).t()).argmax(1).tolist() as number[];
        const right = found.filter((column, row) => captions[column] === captions[row]).length;
        return { ...Object.fromEntries(shares), ownCaptionFirst: right / persons.length };
      }),
    ),
  );
}
