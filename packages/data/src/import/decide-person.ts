import type { Decision } from "../curate/decide.ts";
import { meanFeature, type PlacedFace } from "../curate/identity.ts";
import { type FrameSeen, isMeasured, likeness } from "../curate/observation.ts";
import { nearlySame } from "../curate/select.ts";
import type { ImportSettings } from "./settings.ts";

/** Photos that are asked who the person is; of more, these many, spread evenly. */
const MOST_ASKED = 300;
/** How often the person's mean is taken anew. */
const ROUNDS = 3;
/** How much a face at the edge of a photo counts less than one in the middle. */
const EDGE = 0.5;

/**
 * Whom the photos of a folder show. Of all faces the one counts that most photos agree on, large ones in the middle
 * more; where nothing agrees, as in a single photo, the most prominent. In every other photo the face most like the
 * person is taken if it is like enough, the other ones there are bystanders, and a photo without such a face shows
 * somebody else. Of nearly the same pictures the best recorded stays.
 * @param photos what was seen in each photo alone
 */
export function decidePerson(
  photos: readonly (readonly FrameSeen[])[],
  { samePerson, sameFace }: Pick<ImportSettings, "samePerson" | "sameFace">,
): Decision {
  const dropped: Decision["dropped"] = new Map();
  const faces = photos.map((frames, clip) =>
    frames.flatMap(({ faces: all }, frame) =>
      all.flatMap((seen, face): PlacedFace[] => (isMeasured(seen) ? [{ clip, frame, face, seen }] : [])),
    ),
  );
  const person = gather(faces, samePerson, sameFace);
  if (person.length === 0) return { people: [], dropped };

  const inPhoto = new Map(person.map((face) => [face.clip, face]));
  const strange = faces.map((all, clip) => (inPhoto.has(clip) ? [] : all));
  const second = new Set(gather(strange, samePerson, samePerson));
  for (const [clip, all] of faces.entries()) {
    const [first] = [...all].sort(byProminence);
    const counted = inPhoto.get(clip) ?? all.find((face) => second.has(face)) ?? first;
    for (const face of all) {
      if (face === inPhoto.get(clip)) continue;
      const why = face !== counted ? "bystander" : second.size > 1 && second.has(face) ? "second" : "stranger";
      dropped.set(face.seen, why);
    }
  }
  return { people: [{ faces: person, chosen: withoutDuplicates(person, dropped) }], dropped };
}

const prominence = ({ seen: { size, outside, away = 0 } }: PlacedFace) => size * (1 - outside) * (1 - EDGE * away);
const byProminence = (a: PlacedFace, b: PlacedFace) => prominence(b) - prominence(a) || a.face - b.face;

/** One face a photo: those of whom most photos agree on. @param least least likeness to their mean */
function gather(photos: readonly (readonly PlacedFace[])[], samePerson: number, least: number): PlacedFace[] {
  const seed = agreedOn(
    photos.filter((faces) => faces.length > 0),
    samePerson,
  );
  if (!seed) return [];
  let person = [seed];
  for (let round = 0; round < ROUNDS; round++) {
    const centre = meanFeature(person);
    const alike = photos.flatMap((faces) => {
      const [best] = faces
        .map((face) => ({ face, alike: likeness(face.seen.feature, centre) }))
        .sort((a, b) => b.alike - a.alike);
      return best && best.alike >= least ? [best.face] : [];
    });
    if (alike.length === 0) break;
    person = alike;
  }
  return person;
}

function agreedOn(photos: readonly (readonly PlacedFace[])[], samePerson: number): PlacedFace | undefined {
  const every = Math.max(1, Math.ceil(photos.length / MOST_ASKED));
  const asked = photos
    .filter((_, i) => i % every === 0)
    .map((faces) => {
      const most = Math.max(...faces.map(prominence));
      return faces.map((face) => ({ face, weight: prominence(face) / most }));
    });
  let [found, best]: [PlacedFace | undefined, number] = [undefined, Number.NEGATIVE_INFINITY];
  for (const photo of asked) {
    for (const { face, weight } of photo) {
      let support = 0;
      for (const other of asked) {
        if (other === photo) continue;
        support += Math.max(
          0,
          ...other.map((one) => one.weight * (likeness(face.seen.feature, one.face.seen.feature) - samePerson)),
        );
      }
      // Where nobody agrees, the largest of all.
      const score = weight * support + 1e-6 * prominence(face);
      if (score > best) [found, best] = [face, score];
    }
  }
  return found;
}

function withoutDuplicates(person: readonly PlacedFace[], dropped: Decision["dropped"]): PlacedFace[] {
  const kept: PlacedFace[] = [];
  for (const face of [...person].sort((a, b) => b.seen.quality - a.seen.quality || a.clip - b.clip)) {
    if (kept.some((other) => nearlySame(face.seen, other.seen))) dropped.set(face.seen, "duplicate");
    else kept.push(face);
  }
  return kept.sort((a, b) => a.clip - b.clip);
}
