import { compare } from "./index.ts";
import type { Preset } from "./schema.ts";

/** An option in which the nano preset departs from what the paper says. */
export interface Departure {
  key: string;
  /** As in the paper, and in `nano-paper`. */
  paper: string;
  nano: string;
  why: string;
}

/** Why nano departs, by option; an option that is no departure any more is an error of `departures`. */
const WHY: Readonly<Record<string, string>> = {
  faceMask:
    "photos of people's own come without masks; rendered people bring theirs, so both rules give the same there",
  "encoder.carriedTokens":
    "four tokens of ℓ carry the recogniser's feature as it is: it has seen real faces, the rest has not",
  "mtd.decoder.poseBlocks": "the decoder has to know the pose before it asks the identity",
  "mtd.inputs": "one photo and five are met in training too",
  "mtd.tokens":
    "only the face's tokens count in the loss, and decoding no others saves time; but which ones are decoded tells the decoder the outline of the target's face",
  "mtd.loss.likeness": "1 − cosine of the backbone's recogniser, never through the judge: L1 alone leaves a blur",
  "mtd.backboneRate": "maps of a frozen backbone are computed once; of CLIP-H the paper trains all layers",
  "mtd.optimisation.muon": "learns more in the steps that two cores can do; the paper's form is AdamW alone",
  "flow.guidance.classifierFree": "against the bare base; the paper names none, and FLUX.1-dev's is distilled",
  "flow.adapter.inputs": "as in stage one",
  "flow.adapter.targets": "more people a step in the same time; targets need no longer be more than inputs",
  "flow.adapter.times.kind": "the picture is decided in the noise: t = sigmoid(mean + normal)",
  "flow.adapter.times.mean": "towards the noise",
  "flow.adapter.encoderRate":
    "trained along, at a rate that keeps what stage one has learned; stage one's decoder follows afterwards",
  "flow.adapter.standardise": "the adapter is told what differs between people, not what all have in common",
  "flow.adapter.joined": "identity tokens beside the text tokens",
  "flow.adapter.modulation": "the identity also in the vector that modulates every block",
  "flow.adapter.likeness":
    "1 − cosine of the backbone's recogniser on the picture that the model sees at t < 0.7; never through the judge",
  "flow.adapter.optimisation.muon": "as in stage one",
  "flow.control.optimisation.muon": "as in stage one",
};

/**
 * Where one preset departs from another, option by option, with the reason.
 * @throws for a difference without a reason, and for a reason without a difference
 */
export function departures(paper: Preset, nano: Preset): Departure[] {
  const found = compare(paper, nano).filter(({ key }) => key !== "name");
  const idle = Object.keys(WHY).filter((key) => !found.some((one) => one.key === key));
  if (idle.length > 0) throw new Error(`no departure any more, but a reason is told: ${idle.join(", ")}`);
  return found.map(({ key, was = "–", is = "–" }) => {
    const why = WHY[key];
    if (!why) throw new Error(`${key}: ${was} in ${paper.name}, ${is} in ${nano.name}, and nobody says why`);
    return { key, paper: was, nano: is, why };
  });
}
