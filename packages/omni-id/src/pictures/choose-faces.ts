import {
  type AnalysedFace,
  describeFault,
  describeNoFace,
  type Fault,
  faultOf,
  type RgbImage,
} from "@omni-id/face/plain";
import type { PhotoNote } from "../identity-values.ts";

/** A face of a photo, with the part of the photo around it. */
export interface Portrait {
  image: RgbImage;
  /** In pixels of `image`. */
  face: AnalysedFace;
  /** Width of the face's box in the photo, in pixels. */
  width: number;
  fault?: { fault: Fault; severity: "refuse" | "warn" };
}

/** A photo in which at least one face was found. */
export interface FoundPhoto {
  name: string;
  faces: Portrait[];
}

export interface ChosenFace extends Portrait {
  /** Of the photo. */
  name: string;
}

/** What an identity keeps of its photos. */
export function photoNotes(chosen: readonly ChosenFace[]): PhotoNote[] {
  return chosen.map(({ name, face: { quality, pose } }) => ({ name, quality, pose }));
}

export interface Choice {
  /** One face a photo, in the order of the photos. */
  chosen: ChosenFace[];
  refused: { photo: string; reason: string }[];
  /** What a person should know of those that were chosen. */
  warnings: string[];
}

/**
 * Cosine of recogniser features from which on two faces are one person's. Of 480 press photographs of 80 people 0.1 % of
 * the pairs of two people reach 0.33, and 95 % of the pairs of one person 0.37 (`scripts/likeness-pairs.mjs`).
 */
const SAME_PERSON = 0.32;
/** Mean cosine under which a photo hardly shows the person of the others. */
const ANOTHER_PERSON = 0.15;
/** A face this many times as prominent as the next one is whom a photo is of. */
const CLEARLY = 1.5;
/** The detector's score that a blob in the pattern of a curtain may reach. */
const BLOB = 0.5;
/** In a crowd only so many faces are compared with those of the other photos. */
const MOST_FACES = 12;

/**
 * Decides for each photo whose face is meant: all usable faces of all photos are compared, and the person whom most
 * photos show is taken. Where two people are in as many, the one of whom more photos are: who is alone in them, or
 * clearly the largest. A photo of somebody else alone goes in with a warning.
 */
export function chooseFaces(photos: readonly FoundPhoto[]): Choice {
  const refused: Choice["refused"] = [];
  const seen: Seen[] = [];
  for (const { name, faces } of photos) {
    const byProminence = [...faces].sort((a, b) => prominence(b) - prominence(a));
    const usable = byProminence.filter((face) => face.fault?.severity !== "refuse").slice(0, MOST_FACES);
    const [first] = byProminence;
    if (usable.length === 0) {
      if (first?.fault) refused.push({ photo: name, reason: describeFault(first.fault.fault, first.face) });
      continue;
    }
    // Behind a large face that is blurred a small sharp one may be anybody: it leads nothing.
    const shaded = first !== usable[0] && leads(first, usable[0]) && first.face.score > 0.9 ? first : undefined;
    seen.push({ name, usable, shaded, leading: !shaded && (usable.length === 1 || leads(usable[0], usable[1])) });
  }
  const meant = meantPerson(seen);
  const chosen: ChosenFace[] = [];
  for (const photo of seen) {
    const known = photo.shaded && meant.faces.size < 2 ? undefined : meant.faces.get(photo);
    const face = known ?? (photo.leading ? photo.usable[0] : undefined);
    if (face && (!meant.doubtful || photo.leading)) chosen.push({ ...face, name: photo.name });
    else refused.push({ photo: photo.name, reason: whyNot(photo, seen.length, meant.doubtful) });
  }
  return { chosen, refused, warnings: [...faults(chosen), ...oddOnesOut(chosen)] };
}

/**
 * The face that a photo is of, where nothing else tells: the most prominent one that can be used.
 * @throws with the photo's name and the reason when there is none
 */
export function mainFace(name: string, image: RgbImage, faces: readonly AnalysedFace[]): AnalysedFace {
  if (faces.length === 0) throw new Error(`${name}: ${describeNoFace(image)}`);
  const standing = faces.map((face) => ({ face, width: face.box.width, fault: faultOf(image, face) }));
  return mainPortrait(name, standing).face;
}

/** The same of the faces of a photo, one or more of them. */
export function mainPortrait<T extends Pick<Portrait, "face" | "width" | "fault">>(
  name: string,
  faces: readonly T[],
): T {
  const [first, ...others] = [...faces].sort((a, b) => prominence(b) - prominence(a));
  const usable = [first, ...others].find(({ fault }) => fault?.severity !== "refuse");
  if (!usable) throw new Error(`${name}: ${describeFault(first.fault?.fault ?? "hidden", first.face)}`);
  return usable;
}

interface Seen {
  name: string;
  /** Most prominent first. */
  usable: Portrait[];
  /** A large face before them of which nothing can be told. */
  shaded?: Portrait;
  /** Whether the first one is whom the photo is of, as far as it tells by itself. */
  leading: boolean;
}

interface Person {
  faces: Map<Seen, Portrait>;
  /** How many photos are of this person by themselves. */
  leads: number;
  likeness: number;
}

/** The person whom most photos show; `doubtful` where another one has as much for himself. */
function meantPerson(seen: readonly Seen[]): Person & { doubtful: boolean } {
  const people: Person[] = [];
  for (const photo of seen) for (const face of photo.usable) people.push(personAround(mean([face]), seen));
  people.sort((a, b) => b.faces.size - a.faces.size || b.leads - a.leads || b.likeness - a.likeness);
  const [first] = people;
  if (!first) return { faces: new Map(), leads: 0, likeness: 0, doubtful: false };
  // Once more around their mean: the face that all others were compared with may be seen badly itself.
  const steady = personAround(mean([...first.faces.values()]), seen);
  const best = steady.faces.size >= first.faces.size ? steady : first;
  const apart = ({ faces }: Person) => [...faces].every(([photo, face]) => best.faces.get(photo) !== face);
  const rival = people.find(apart);
  const doubtful = rival !== undefined && rival.faces.size === best.faces.size && rival.leads === best.leads;
  return { ...best, doubtful };
}

/** In each photo the face that is most like a feature, where it is like enough. */
function personAround(feature: Float32Array, seen: readonly Seen[]): Person {
  const person: Person = { faces: new Map(), leads: 0, likeness: 0 };
  for (const photo of seen) {
    let best = SAME_PERSON;
    for (const face of photo.usable) {
      const likeness = dot(feature, face.face.feature);
      if (likeness < best) continue;
      best = likeness;
      person.faces.set(photo, face);
    }
    const face = person.faces.get(photo);
    if (!face) continue;
    person.likeness += best;
    person.leads += Number(photo.leading && face === photo.usable[0]);
  }
  return person;
}

function whyNot({ usable, shaded }: Seen, photos: number, doubtful: boolean): string {
  if (shaded?.fault && usable.length === 1) return describeFault(shaded.fault.fault, shaded.face);
  const shows = usable.length === 1 ? "shows a face in the background" : `shows ${usable.length} faces of like size`;
  const remedy = "crop it to one person";
  if (photos === 1) return `${shows}, and no other photo tells whose is meant; ${remedy}`;
  if (doubtful) return `${shows}, and no other photo tells whose is meant: they show the same people; ${remedy}`;
  return `${shows}, and none is the person whom the other photos show; ${remedy}`;
}

/** How much a face stands out: its area, and how sure the detector is that it is one. */
function prominence({ width, face: { score } }: Pick<Portrait, "face" | "width">): number {
  return width * width * Math.max(0.02, (score - BLOB) / (1 - BLOB));
}

const leads = (a: Portrait, b: Portrait): boolean => prominence(a) > CLEARLY * prominence(b);

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i], 0);

/** The mean of features, of length 1. */
function mean(faces: readonly Portrait[]): Float32Array {
  const sum = new Float32Array(faces[0].face.feature.length);
  for (const { face } of faces) for (const [i, value] of face.feature.entries()) sum[i] += value;
  const length = Math.sqrt(dot(sum, sum)) || 1;
  return sum.map((value) => value / length);
}

function faults(chosen: readonly ChosenFace[]): string[] {
  return chosen.flatMap(({ name, fault, face }) => {
    const told: string[] = [];
    if (face.turn >= 90 && face.turn <= 270)
      told.push(`${name} lies on its side or upside down; the face was taken upright`);
    if (fault) told.push(`${name} tells less than it could: ${describeFault(fault.fault, face)}`);
    return told;
  });
}

function oddOnesOut(chosen: readonly ChosenFace[]): string[] {
  return chosen
    .filter((one) => {
      const others = chosen.filter((other) => other !== one);
      const likeness = others.reduce((sum, { face }) => sum + dot(one.face.feature, face.feature), 0) / others.length;
      return others.length > 0 && likeness < ANOTHER_PERSON;
    })
    .map(({ name }) => `${name} seems to show somebody else than the other photos`);
}
