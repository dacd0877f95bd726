import { above, scores, type Table } from "./table.ts";

/**
 * Stage one alone differs; stage two is the paper's 3→8 in every arm, with equal steps. "I-O" is the number of photos
 * that go in and come out: identities a step and steps stay, so an arm of fewer targets sees fewer pictures, as in the
 * paper's wording.
 */
export const table2: Table = {
  title: "Table 2: the masked transformer decoder and its design",
  judged: "stage-two",
  arms: {
    full: { about: "3→8, 95 % masked", paper: { idSimilarity: scores(0.683, 0.733) } },
    "no-mtd": { about: "no stage one", noMtd: true, paper: { idSimilarity: scores(0.336, 0.358) } },
    "3-1": { about: "3→1", mtd: ["mtd.targets=1"], paper: { idSimilarity: scores(0.491, 0.515) } },
    "3-5": { about: "3→5", mtd: ["mtd.targets=5"], paper: { idSimilarity: scores(0.582, 0.615) } },
    "8-8": { about: "8→8", mtd: ["mtd.inputs=[8]"], paper: { idSimilarity: scores(0.661, 0.696) } },
    "mask-0.99": { about: "99 % masked", mtd: ["mtd.maskRatio=0.99"], paper: { idSimilarity: scores(0.67, 0.7) } },
    "mask-0.85": { about: "85 % masked", mtd: ["mtd.maskRatio=0.85"], paper: { idSimilarity: scores(0.609, 0.65) } },
  },
  hypotheses: [
    above("Stage one helps: without it, ID similarity is lower", "full", "no-mtd"),
    above("Even the weakest stage one (3→1) is better than none", "3-1", "no-mtd"),
    above("More targets are better: 3→8 over 3→5", "full", "3-5"),
    above("More targets are better: 3→5 over 3→1", "3-5", "3-1"),
    above("Few-to-many 3→8 is better than 8→8, which may see all that it reconstructs", "full", "8-8"),
    above("Masking 95 % is better than 99 %, which makes the task ill-posed", "full", "mask-0.99"),
    above("Masking 95 % is better than 85 %", "full", "mask-0.85"),
    {
      claim: "Three photos give a better identity than one",
      measure: "idSimilarity",
      more: { arm: "full", at: ["3"] },
      less: { arm: "full", at: ["1"] },
    },
  ],
};
