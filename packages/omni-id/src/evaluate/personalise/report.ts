import {
  bootstrap,
  bootstrapDifference,
  type Estimate,
  type Groups,
  type Provenance,
  provenance,
  type SceneGroup,
} from "@omni-id/data";
import type { Tensor } from "@omni-id/torch";
import type { SceneSettings } from "../../generate/scene-generator.ts";
import type { People } from "../../people/people.ts";
import { resized } from "../../pictures/resized.ts";
import { toUnit } from "../../pictures/rgb-batch.ts";
import type { LoadedAttributes } from "../../weights/attributes.ts";
import type { LoadedClip } from "../../weights/clip.ts";
import { type PerPerson, perPerson } from "../figures.ts";
import type { Judge } from "../recognisers.ts";
import { zeroShot } from "../zero-shot.ts";
import { type Claim, claimsOf } from "./claims.ts";
import { countsOf, drawScenes, type SceneArm, USUAL } from "./draw.ts";
import { knownFaces, samePeople, strangers } from "./faces.ts";
import { accuracyOf } from "./labels.ts";
import type { Leakage } from "./leakage.ts";
import { lookAt, type Measured, measureArm, type SeenScenes } from "./measure.ts";
import type { ScenePrompt } from "./prompts.ts";

/** The arm in which nobody's identity is told. */
export const BARE = "base";

export interface SceneArmReport {
  /** Which weights drew; absent for the bare base. */
  weights?: string;
  /** Cosine of the independent recogniser's features of a drawn scene and the person's own scenes, by photos that go in. */
  idSimilarity: Record<string, Estimate>;
  /** That less everybody else's scenes, and how often the person's own are the nearest of all (by chance 1 / identities). */
  ownLess: Estimate;
  first: Estimate;
  /** Share of the pictures in which the detector finds a face. */
  detected: Record<string, number>;
  /** Share of what a prompt asks that is read off its picture; absent where no prompt asks for anything that can be. */
  promptFollowing?: Estimate;
  byGroup: Partial<Record<SceneGroup, number>>;
  /** promptFollowing of combinations of words that training shows, and of those that it never does. */
  combinations: { met?: Estimate; heldOut?: Estimate };
  /** By a CLIP of rendered scenes: cosine of picture and prompt, and how often its own prompt is the nearest of all. */
  imageText?: { cosine: Estimate; first: Estimate };
  /** promptFollowing less that of the bare base, the same prompts and noise: what the identity costs. */
  cost?: Estimate;
  copyPaste?: Estimate;
  /** 1 − cosine of what is read off two pictures of one person and prompt. */
  diversity: Estimate;
  leakage?: Leakage;
  /** Share of pictures that show the person's own hair where no prompt speaks of it and no hat hides it. */
  hair: { colour?: Estimate; length?: Estimate };
  perPerson: PerPerson["means"];
}

export interface PersonaliseReport extends Provenance {
  identities: number;
  prompts: number;
  /** Side of a picture. */
  pixels: number;
  measure: string;
  /** Photos that the figures without a number are drawn from. */
  photos: number;
  base: string;
  guidance: { text: number; identity: number };
  steps: number | undefined;
  /** What idSimilarity lies between: other scenes of the person, and those of somebody else. */
  bounds: { samePerson: Estimate; otherPerson: Estimate };
  /** How well words are read off scenes of people whom the reader has not met. */
  classifier: { weights: string; accuracy: Record<string, number> };
  /** Which CLIP tells imageText, and how well it answers on scenes of the people. */
  clip?: { weights: string; zeroShot: Record<string, number> };
  arms: Record<string, SceneArmReport>;
  claims: Claim[];
  people: string;
  notes: string[];
}

export interface PersonaliseOptions {
  arms: Readonly<Record<string, SceneArm>>;
  /** The people's own scenes, which nothing is drawn from. */
  scenes: People;
  prompts: readonly ScenePrompt[];
  attributes: LoadedAttributes;
  clip: LoadedClip | undefined;
  judge: Judge;
  seed: number;
  settings: SceneSettings;
  keep: string | undefined;
  onProgress?: (what: string) => void;
}

export interface PersonaliseResult {
  report: PersonaliseReport;
  /** Of each arm `[people · prompts, 3, S, S]`, from {@link PersonaliseReport.photos} photos. */
  pictures: Record<string, Tensor>;
}

const NOTES = [
  "Everybody by every prompt; the same noise whatever the arm and the number of photos.",
  "A picture in which no face is found counts as a stranger's in idSimilarity.",
  "promptFollowing is read by a network that was trained on rendered scenes alone; its own accuracy stands in classifier.",
  "combinations: heldOut are prompts that fit a rule which rendered sets hold out unless told otherwise.",
  "No scene that a picture is compared with was among the photos that it was drawn from.",
];

/** Measures section 4.3: people in scenes that a sentence tells of. @throws when the arms are of several bases */
export async function evaluatePersonalise(options: PersonaliseOptions): Promise<PersonaliseResult> {
  const { scenes, prompts, attributes, clip, judge, seed, settings, keep, onProgress = () => {} } = options;
  const [first] = Object.values(options.arms);
  checkOneBase(options.arms);
  const { photos } = first;
  const counts = countsOf(photos);
  const usual = counts.includes(USUAL) ? USUAL : counts[counts.length - 1];
  const drawing = { prompts, seed, settings, keep, onProgress };
  const known = knownFaces(judge, scenes, photos);
  const test = { known, attributes, clip, prompts, scenes, photos };

  const look = async (pictures: Tensor, name: string) => {
    onProgress(`looking at ${name}`);
    return lookAt(test, pictures);
  };
  const bare = await look(drawScenes(first, drawing, { name: BARE }), BARE);
  const other = await look(drawScenes(first, drawing, { name: BARE, round: 1 }), BARE);
  const measured: Record<string, Measured> = {
    [BARE]: measureArm(test, { seen: { [`${usual}`]: bare }, usual, other, bare }),
  };
  other.pictures.dispose();
  const pictures: Record<string, Tensor> = { [BARE]: bare.pictures };
  const weights: Record<string, string> = {};
  for (const [name, arm] of Object.entries(options.arms)) {
    const seen: Record<string, SeenScenes> = {};
    for (const count of counts) seen[count] = await look(drawScenes(arm, drawing, { name, count }), name);
    const again = await look(drawScenes(arm, drawing, { name, count: usual, round: 1 }), name);
    measured[name] = measureArm(test, { seen, usual, other: again, bare });
    again.pictures.dispose();
    for (const count of counts) if (count !== usual) seen[count].pictures.dispose();
    pictures[name] = seen[usual].pictures;
    weights[name] = arm.generator.encoder.name;
  }
  const bareFollowing = measured[BARE].promptFollowing;

  const arms = Object.fromEntries(
    Object.entries(measured).map(([name, one]) => [name, reportOf(name, one, { bareFollowing, weights, scenes })]),
  );
  const { base, guidance, pixels } = first.generator;
  const report: PersonaliseReport = {
    ...provenance(seed),
    identities: scenes.ids.length,
    prompts: prompts.length,
    pixels,
    measure: "dlib's 128-d network, cosine: nothing was trained through it",
    photos: usual,
    base: base.hash.slice(0, 12),
    guidance: { ...guidance, ...settings.guidance },
    steps: settings.steps,
    bounds: { samePerson: bootstrap(samePeople(known)), otherPerson: bootstrap(strangers(known)) },
    classifier: { weights: attributes.hash.slice(0, 12), accuracy: accuracyOf(attributes.network, scenes) },
    ...(clip && {
      clip: {
        weights: clip.hash.slice(0, 12),
        zeroShot: zeroShot(clip, scenes, (rows) => resized(toUnit(scenes.cropsOf(rows)), clip.imageSize)),
      },
    }),
    arms,
    claims: claimsOf(measured),
    people: perPerson(scenes, {}).people,
    notes: NOTES,
  };
  return { report, pictures };
}

function checkOneBase(arms: Readonly<Record<string, SceneArm>>): void {
  const bases = new Set(Object.values(arms).map(({ generator }) => generator.base.hash));
  if (bases.size !== 1) {
    throw new Error(
      `${Object.keys(arms).join(", ")}: trained on ${bases.size} different bases, whose pictures cannot be compared; train each adapter on the same --base`,
    );
  }
}

function reportOf(
  name: string,
  measured: Measured,
  { bareFollowing, weights, scenes }: { bareFollowing: Groups; weights: Record<string, string>; scenes: People },
): SceneArmReport {
  const { idSimilarity, detected, promptFollowing, byGroup, imageText, copyPaste, leakage } = measured;
  const known = (groups: Groups) => {
    const told = groups.filter((values) => values.length > 0);
    return told.length > 0 ? bootstrap(told) : undefined;
  };
  const asks = bareFollowing.some((values) => values.length > 0);
  const likeness = Object.fromEntries(
    Object.entries(idSimilarity).map(([count, values]) => [count, bootstrap(values)]),
  );
  // Nobody went in: the figure is the same whatever the number of photos.
  const [bare] = Object.values(likeness);
  return {
    ...(weights[name] && { weights: weights[name] }),
    idSimilarity: name === BARE ? { "1": bare, "3": bare, "5": bare } : likeness,
    ownLess: bootstrap(measured.ownLess),
    first: bootstrap(measured.first),
    detected,
    promptFollowing: known(promptFollowing),
    byGroup,
    combinations: { met: known(measured.followingMet), heldOut: known(measured.followingHeldOut) },
    ...(imageText && { imageText: { cosine: bootstrap(imageText.cosine), first: bootstrap(imageText.first) } }),
    ...(name !== BARE && {
      cost: asks ? bootstrapDifference(promptFollowing, bareFollowing) : undefined,
      copyPaste: known(copyPaste),
      leakage,
    }),
    diversity: bootstrap(measured.diversity),
    hair: { colour: known(measured.hairColour), length: known(measured.hairLength) },
    perPerson: perPerson(scenes, { idSimilarity, ...(asks && { promptFollowing: { all: promptFollowing } }) }).means,
  };
}
