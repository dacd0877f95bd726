/**
 * The paper's tables as data. Every arm starts from the preset `nano-paper`; what it lists replaces single values.
 * Claims are written here before anything is run, in the paper's words where it has them; `paper` is its own column.
 */

/** Photos that a figure is measured at. */
export type At = "1" | "3" | "5";

export interface Arm {
  /** What is left out or changed, for a person. */
  about: string;
  /** Values of stage one, `mtd.key=value`. */
  mtd?: readonly string[];
  /** No stage one at all: stage two begins with the encoder's first weights. */
  noMtd?: boolean;
  /** Stage one's steps as a share of the others'; each run warms up and anneals for itself. */
  mtdShare?: number;
  /** Values of stage two, `flow.adapter.key=value`. */
  flow?: readonly string[];
  /** Values of every stage, `encoder.key=value`. */
  set?: readonly string[];
  /** What stands for a person instead of the encoder; it has no stage one. */
  representation?: { kind: string; photos: "joined" | "mean" };
  /** Begins with the encoder beside the flow base, trained before and for longer; it has no stage one here. */
  shipped?: boolean;
  /** Nothing of ours: photos go into FLUX.2 [klein] by its own way, untrained. */
  references?: boolean;
  /** On the small CLIP of `omni-id train clip` instead of the recogniser. */
  clip?: boolean;
  /** Trained on the set that looks like a recognition set (`omni-id data synth --noise web`). */
  web?: boolean;
  /** The paper's numbers. */
  paper: { idSimilarity: Partial<Record<At, number>>; poseError?: Partial<Record<At, number>> };
}

/** `more` is above `less`: the mean over the given numbers of photos, of one measure. */
export interface Hypothesis {
  claim: string;
  measure: "idSimilarity" | "poseError";
  more: { arm: string; at: readonly At[] };
  less: { arm: string; at: readonly At[] };
}

export interface Table {
  title: string;
  /**
   * What is judged. "stage-two": the adapter as stage two leaves it, with the encoder that was trained along (Table 2: "face
   * generation quality from the Flow-Matching Decoder described in Sec. 3.3"). "downstream": a generator that is trained on
   * the frozen representation afterwards, few-to-many and equally long for every arm (Table 3: "downstream controllable face
   * generation performance by using different checkpoints", section 4.2).
   */
  judged: "stage-two" | "downstream";
  /** Its arms are points of a curve over stage one's steps. */
  curve?: boolean;
  arms: Readonly<Record<string, Arm>>;
  hypotheses: readonly Hypothesis[];
}

const above = (claim: string, more: string, less: string, measure: Hypothesis["measure"] = "idSimilarity") => ({
  claim,
  measure,
  more: { arm: more, at: ["1", "3"] as const },
  less: { arm: less, at: ["1", "3"] as const },
});

const scores = (one: number, three: number, five?: number) => ({ "1": one, "3": three, ...(five && { "5": five }) });

/** A representation of section 4.1, as all of a photo's tokens side by side or as the mean over photos. */
const instead = (
  kind: string,
  photos: "joined" | "mean",
  about: string,
  paper: Arm["paper"] = { idSimilarity: {} },
): Arm => ({
  about: `${about}; ${photos === "joined" ? "photos' tokens side by side" : "the mean over photos"}`,
  representation: { kind, photos },
  paper,
});

const arcfacePaper = { idSimilarity: scores(0.515, 0.523, 0.529), poseError: scores(2.4, 2.3, 2.3) };

/**
 * Every representation gets the same stage two to begin with, its adapter and its own projection learning together, and then
 * the same downstream training of IP-Adapter and ControlNet with the representation frozen. How 3 and 5 photos enter
 * one that is made for one photo is not told in the paper: both ways are rows of their own. "omni-id-carried" has what the
 * other rows may not have: four tokens of ℓ that are the recogniser's feature as it is. "omni-id-shipped" begins with weights
 * that a user has: it tells what a stage one of the length that a table can afford leaves undone.
 */
const table1: Table = {
  title: "Table 1: representations, in controllable generation",
  judged: "downstream",
  arms: {
    "omni-id": {
      about: "the encoder, pretrained by both decoders",
      paper: { idSimilarity: scores(0.708, 0.728, 0.737), poseError: scores(2.1, 2.0, 2.0) },
    },
    arcface: instead("arcface", "joined", "the recogniser's feature, projected to as many tokens", arcfacePaper),
    "arcface-mean": instead("arcface", "mean", "the recogniser's feature, projected to as many tokens", arcfacePaper),
    clip: {
      ...instead("clip", "joined", "all tokens of a frozen CLIP", {
        idSimilarity: scores(0.648, 0.67, 0.68),
        poseError: scores(2.3, 2.3, 2.2),
      }),
      clip: true,
    },
    "arcface-clip": {
      ...instead("arcface-clip", "joined", "the recogniser's feature asks CLIP's tokens", {
        idSimilarity: scores(0.638, 0.655, 0.663),
        poseError: scores(2.4, 2.4, 2.3),
      }),
      clip: true,
    },
    backbone: instead("backbone", "joined", "all tokens of the encoder's own frozen backbone, without the encoder"),
    "backbone-mean": instead(
      "backbone",
      "mean",
      "all tokens of the encoder's own frozen backbone, without the encoder",
    ),
    "omni-id-carried": {
      about: "the encoder, with the recogniser's feature carried in four of its tokens",
      set: ["encoder.carriedTokens=4"],
      paper: { idSimilarity: {} },
    },
    "omni-id-shipped": {
      about:
        "the shipped encoder: more steps, more people, a likeness loss, and the recogniser's feature in four tokens",
      shipped: true,
      set: ["encoder.carriedTokens=4"],
      paper: { idSimilarity: {} },
    },
    references: {
      about: "FLUX.2 [klein] Base by its own way of taking photos, untrained; a model of another size, told of no pose",
      references: true,
      paper: { idSimilarity: {} },
    },
  },
  hypotheses: [
    above("Omni-ID keeps more of the person than ArcFace", "omni-id", "arcface"),
    above("… and more than ArcFace's mean over photos", "omni-id", "arcface-mean"),
    above("Omni-ID keeps more of the person than CLIP", "omni-id", "clip"),
    above("Omni-ID keeps more of the person than ArcFace + CLIP", "omni-id", "arcface-clip"),
    above("Omni-ID keeps more of the person than its own backbone's tokens", "omni-id", "backbone"),
    above(
      "Trained for longer, the shipped encoder keeps more of the person than ArcFace",
      "omni-id-shipped",
      "arcface",
    ),
    above("… and more than what this table's stage one leaves", "omni-id-shipped", "omni-id"),
    above("Omni-ID keeps more of the person than FLUX.2 [klein]'s own references", "omni-id", "references"),
    above("ArcFace keeps less of the person than CLIP", "clip", "arcface"),
    above("ArcFace's pose error is larger than Omni-ID's", "arcface", "omni-id", "poseError"),
    {
      claim: "More photos help: five over one",
      measure: "idSimilarity",
      more: { arm: "omni-id", at: ["5"] },
      less: { arm: "omni-id", at: ["1"] },
    },
  ],
};

/**
 * Stage one alone differs; stage two is the paper's 3→8 in every arm, with equal steps. "I-O" is the number of photos
 * that go in and come out: identities a step and steps stay, so an arm of fewer targets sees fewer pictures, as in the
 * paper's wording.
 */
const table2: Table = {
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

/**
 * What pretraining a representation needs, judged by a generator that is trained on it afterwards with the encoder
 * frozen. "no-flow": the encoder learns in stage one alone; its adapter still gets stage two's steps, on the frozen
 * encoder, as the paper gives every representation an adapter that has converged (Table 1's caption). "no-few-to-many":
 * both stages reconstruct the very photo that they are given; the downstream training is few-to-many like everybody's.
 * "neither", not in the paper, makes a square of the two decoders: where the encoder learns along in stage two, that may
 * make up for a stage one that was left out; between two arms whose encoder no longer learns, nothing does.
 */
const table3: Table = {
  title: "Table 3: the decoders, few-to-many and the data",
  judged: "downstream",
  arms: {
    full: {
      about: "both decoders, few-to-many, clean films",
      paper: { idSimilarity: scores(0.708, 0.728), poseError: scores(2.1, 2.0) },
    },
    "no-mtd": {
      about: "no stage one",
      noMtd: true,
      paper: { idSimilarity: scores(0.468, 0.473), poseError: scores(2.8, 3.1) },
    },
    "no-flow": {
      about: "the encoder does not learn in stage two",
      flow: ["flow.adapter.encoderRate=0"],
      paper: { idSimilarity: scores(0.672, 0.685), poseError: scores(2.4, 2.3) },
    },
    "no-few-to-many": {
      about: "both stages reconstruct the photo that they see",
      mtd: ["mtd.inputs=[1]", "mtd.targets=1", "mtd.targetsFrom=inputs"],
      flow: ["flow.adapter.inputs=[1]", "flow.adapter.targets=1", "flow.adapter.targetsFrom=inputs"],
      paper: { idSimilarity: scores(0.616, 0.633), poseError: scores(2.3, 2.2) },
    },
    "no-mfhq": {
      about: "pretrained on pictures as recognition sets have them",
      web: true,
      // biome-ignore lint/suspicious/noApproximativeNumericConstant: the paper's number, no logarithm
      paper: { idSimilarity: scores(0.678, 0.693), poseError: scores(2.2, 2.1) },
    },
    neither: {
      about: "neither decoder: the encoder as it is drawn, frozen",
      noMtd: true,
      flow: ["flow.adapter.encoderRate=0"],
      paper: { idSimilarity: {} },
    },
  },
  hypotheses: [
    above("Without stage one, ID similarity is lower", "full", "no-mtd"),
    above("Without the flow matching decoder, ID similarity is lower", "full", "no-flow"),
    above("Without few-to-many, ID similarity is lower", "full", "no-few-to-many"),
    above("Trained on pictures as recognition sets have them, ID similarity is lower", "full", "no-mfhq"),
    above("Stage one matters most: leaving it out costs more than leaving out few-to-many", "no-few-to-many", "no-mtd"),
    above("Stage one alone teaches the encoder something: frozen after it, it keeps more", "no-flow", "neither"),
    above("Stage two alone teaches the encoder something", "no-mtd", "neither"),
    above("Without stage one, the pose error is larger", "no-mtd", "full", "poseError"),
    above("Without the flow matching decoder, the pose error is larger", "no-flow", "full", "poseError"),
    above("Without few-to-many, the pose error is larger", "no-few-to-many", "full", "poseError"),
    above(
      "Trained on pictures as recognition sets have them, the pose error is larger",
      "no-mfhq",
      "full",
      "poseError",
    ),
  ],
};

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
const figure9: Table = {
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
const figure9Frozen: Table = {
  ...figure9,
  title: "Figure 9 once more, the encoder frozen after stage one",
  arms: lengths(["flow.adapter.encoderRate=0"]),
};

/** All tables that can be run again, by name. */
export const TABLES: Readonly<Record<string, Table>> = {
  table1,
  table2,
  table3,
  figure9,
  "figure9-frozen": figure9Frozen,
};
