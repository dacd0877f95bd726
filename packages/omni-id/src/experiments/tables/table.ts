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

/** `more` is above `less`, over one and three photos as the paper prints them. */
export const above = (claim: string, more: string, less: string, measure: Hypothesis["measure"] = "idSimilarity") => ({
  claim,
  measure,
  more: { arm: more, at: ["1", "3"] as const },
  less: { arm: less, at: ["1", "3"] as const },
});

/** The paper's column: at one, three and perhaps five photos. */
export const scores = (one: number, three: number, five?: number) => ({
  "1": one,
  "3": three,
  ...(five && { "5": five }),
});
