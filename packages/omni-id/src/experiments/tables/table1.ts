import { type Arm, above, scores, type Table } from "./table.ts";

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
export const table1: Table = {
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
