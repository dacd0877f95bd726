import { safeKey } from "./clip.ts";
import type { Decision } from "./decide.ts";
import type { PlacedFace } from "./identity.ts";
import type { ClipJournal } from "./journal.ts";
import type { FaceSeen } from "./observation.ts";
import type { FaceLine, Outcome } from "./outcome.ts";
import type { VideoJob } from "./plan.ts";

/** Identities are numbered by their first faces; people without pictures do not count. */
export const identityId = (video: string, number: number) => `${safeKey(video)}-p${number}`;

/** The journal of a video that was decided. */
export function outcomeOf(
  { video, clips, files }: VideoJob,
  journals: readonly ClipJournal[],
  { people, dropped }: Decision,
): Outcome {
  const personOf = new Map(
    people.flatMap(({ faces }, person) => faces.map(({ seen }) => [seen as FaceSeen, person] as const)),
  );
  const pictureOf = new Map(
    people.flatMap(({ chosen }) => chosen.map(({ seen }, i) => [seen as FaceSeen, i] as const)),
  );
  const faces: FaceLine[] = [];
  for (const [i, { frames }] of journals.entries()) {
    for (const { t, faces: all } of frames) {
      for (const face of all) {
        const { box, size, detail, quality, pose } = face;
        const why = face.why ?? dropped.get(face as PlacedFace["seen"]);
        const fate = { why, person: personOf.get(face), picture: pictureOf.get(face) };
        faces.push({ clip: clips[i].name, t, box, ...fate, size, detail, quality, pose });
      }
    }
  }
  let kept = 0;
  return {
    video: { video, key: safeKey(video), ...(files && { files }) },
    clips: clips.map(({ name }, i) => ({
      clip: name,
      frames: journals[i].frames.length,
      ...journals[i].end,
      empty: journals[i].frames.filter((frame) => frame.faces.length === 0).length,
      cuts: journals[i].frames.filter(({ cut }) => cut).map(({ t }) => t),
    })),
    faces,
    people: people.map(({ faces: all, chosen }, person) => ({
      id: chosen.length > 0 ? identityId(video, kept++) : "",
      person,
      faces: all.length,
      pictures: chosen.length,
    })),
  };
}
