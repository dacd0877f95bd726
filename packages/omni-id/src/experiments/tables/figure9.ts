import { type Arm, above, type Table } from "./table.ts";

const length = (share: number, flow?: readonly string[]): Arm => ({
  about: `${share} × stage one's steps`,
  ...(share === 0 ? { noMtd: true } : { mtdShare: share }),
  ...(flow && { flow }),
  paper: { idSimilarity: {} },
});

const lengths = (flow?: readonly string[]) => ({
  "×0": length(0, flow),
  "×0.25": length(0.25, flow),
  "×0.5": length(0.5, flow),
  "×1": length(1, flow),
  "×2": length(2, flow),
});

/**
 * ID similarity against stage one's steps, each point annealed and followed by the same stage two. The paper's curve is a
 * picture without numbers: it rises with the steps, for one photo and for three.
 */
export const figure9: Table = {
  title: "Figure 9: ID similarity against the steps of stage one",
  judged: "stage-two",
  curve: true,
  arms: lengths(),
  hypotheses: [
    above("A quarter of stage one is better than none", "×0.25", "×0"),
    above("Half is better than a quarter", "×0.5", "×0.25"),
    above("The whole is better than a half", "×1", "×0.5"),
    above("Twice as long is better still", "×2", "×1"),
    above("Over the whole curve: twice as long is better than none", "×2", "×0"),
  ],
};

/** The same with an encoder that stage one alone teaches: stage two trains the adapter. Not in the paper. */
export const figure9Frozen: Table = {
  ...figure9,
  title: "Figure 9 once more, the encoder frozen after stage one",
  arms: lengths(["flow.adapter.encoderRate=0"]),
};
