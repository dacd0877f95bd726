import { mean, readSceneWords, SCENE_GROUPS, SCENE_WORDS, type SceneGroup, type SceneWords } from "@omni-id/data";
import { autocast, noGrad, preferredPrecision, scope, type Tensor, tensor } from "@omni-id/torch";
import type { AttributeNetwork } from "../../backbones/attribute-network.ts";
import type { People } from "../../people/people.ts";
import { toUnit } from "../../pictures/rgb-batch.ts";

/** The number of a word that nobody knows: it teaches nothing, and counts nowhere. */
const UNKNOWN = -100;

/** What the caption of each row says, where it says all there is: `[rows]` of each group. */
export function labelsOf(people: Pick<People, "captions">, rows: readonly number[]): Record<SceneGroup, Tensor> {
  const words = rows.map((row) => readSceneWords(people.captions[row], { whole: true }));
  const labels = SCENE_GROUPS.map((group) => {
    const numbers = words.map((one) => numberOf(group, one));
    return [group, tensor(numbers, { dtype: "int64" })] as const;
  });
  return Object.fromEntries(labels) as Record<SceneGroup, Tensor>;
}

function numberOf(group: SceneGroup, words: SceneWords): number {
  const known: readonly string[] = SCENE_WORDS[group];
  const word = words[group];
  return word === undefined ? UNKNOWN : known.indexOf(word);
}

/** Of each group the share of right words among those that are known; absent where none is. */
function accuracies(
  scores: Record<SceneGroup, Tensor>,
  labels: Record<SceneGroup, Tensor>,
): Partial<Record<SceneGroup, number>> {
  const shares = SCENE_GROUPS.flatMap((group) =>
    scope(() => {
      const truth = labels[group].tolist() as number[];
      const read = scores[group].argmax(1).tolist() as number[];
      const known = [...truth.keys()].filter((row) => truth[row] !== UNKNOWN);
      if (known.length === 0) return [];
      return [[group, known.filter((row) => read[row] === truth[row]).length / known.length] as const];
    }),
  );
  return Object.fromEntries(shares);
}

/** Share of words that are read right off people's scenes, group by group, and their mean. */
export function accuracyOf(network: AttributeNetwork, people: People): Record<string, number> {
  return scope(() =>
    noGrad(() => {
      const { rows } = people;
      const scores = autocast({ dtype: "bfloat16", enabled: preferredPrecision() === "bfloat16" }, () =>
        network.scores(network.features(toUnit(people.cropsOf(rows)), people.pointsOf(rows))),
      );
      const right = accuracies(scores, labelsOf(people, rows));
      return { accuracy: mean(Object.values(right)), ...right };
    }),
  );
}
