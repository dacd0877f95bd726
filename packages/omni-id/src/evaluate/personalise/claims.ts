import { bootstrapDifference, type Estimate, type Groups } from "@omni-id/data";
import { answerBy, type ClaimAnswer } from "../figures.ts";
import type { Measured } from "./measure.ts";

/** What was expected before anything was drawn, and what came out. */
export interface Claim {
  claim: string;
  answer: ClaimAnswer;
  /** The difference in pairs that it rests on; absent where an arm was not drawn. */
  difference?: Estimate;
}

interface Expected {
  claim: string;
  more: readonly [arm: string, measure: (measured: Measured) => Groups | undefined];
  less: readonly [arm: string, measure: (measured: Measured) => Groups | undefined];
  /** The difference must only not lie below 0. */
  atLeast?: boolean;
}

const likeness = (count: string) => (measured: Measured) => measured.idSimilarity[count];
const told = (values: readonly number[]) => values.length > 0;
const prompts = (measured: Measured) => measured.promptFollowing;

/** Written before any run, as the paper has them (section 4.3). */
const EXPECTED: readonly Expected[] = [
  ...["arcface", "clip"].flatMap((arm) =>
    ["1", "3"].map((count) => ({
      claim: `Omni-ID keeps more of the person than ${arm} at ${count === "1" ? "one photo" : "three photos"}`,
      more: ["omni-id", likeness(count)] as const,
      less: [arm, likeness(count)] as const,
    })),
  ),
  ...["arcface", "clip"].map((arm) => ({
    claim: `… at no less prompt following than ${arm}`,
    more: ["omni-id", prompts] as const,
    less: [arm, prompts] as const,
    atLeast: true,
  })),
  {
    claim: "Three photos help: over one",
    more: ["omni-id", likeness("3")],
    less: ["omni-id", likeness("1")],
  },
  {
    claim: "Five photos help: over one",
    more: ["omni-id", likeness("5")],
    less: ["omni-id", likeness("1")],
  },
];

/** Yes where the interval lies above 0, no where below; "at no less" is yes unless it lies below. */
export function claimsOf(measured: Readonly<Record<string, Measured>>): Claim[] {
  return EXPECTED.map(({ claim, more, less, atLeast }) => {
    const [a, b] = [more, less].map(([arm, measure]) => measured[arm] && measure(measured[arm]));
    if (!a?.some(told) || !b?.some(told)) return { claim, answer: "unresolved" };
    const difference = bootstrapDifference(a, b);
    const answer = answerBy(difference);
    return { claim, answer: atLeast && answer === "unresolved" ? "yes" : answer, difference };
  });
}
