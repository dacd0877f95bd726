import { gatherPeople, type PlacedFace } from "./identity.ts";
import { type FrameSeen, isMeasured, type Reason } from "./observation.ts";
import { selectFaces } from "./select.ts";
import type { CurateSettings } from "./settings.ts";
import { trackFaces } from "./track.ts";

/** What becomes of the faces of a video. */
export interface Decision {
  /** In the order of their first face; those with pictures come to be identities. */
  people: { faces: PlacedFace[]; chosen: PlacedFace[] }[];
  /** Why a face was not taken; faces that are in no map were chosen. */
  dropped: Map<PlacedFace["seen"], Reason>;
}

/**
 * From what was seen in the clips of a video to people and their pictures: track, tell apart, select. Nothing is
 * decoded or measured here, and the same observations give the same decision.
 */
export function decideVideo(clips: readonly (readonly FrameSeen[])[], settings: CurateSettings): Decision {
  const tracks = clips.flatMap((frames, clip) =>
    trackFaces(frames).map((track) =>
      track.flatMap(({ frame, face }): PlacedFace[] => {
        const seen = frames[frame].faces[face];
        return isMeasured(seen) ? [{ clip, frame, face, seen }] : [];
      }),
    ),
  );
  const { people, strangers, strays } = gatherPeople(tracks, settings);
  const dropped: Decision["dropped"] = new Map();
  for (const { seen } of strangers) dropped.set(seen, "stranger");
  for (const { seen } of strays) dropped.set(seen, "stray");
  return {
    people: people.map((faces) => {
      const selection = selectFaces(
        faces.map(({ seen }) => seen),
        settings,
      );
      for (const [i, why] of selection.dropped) dropped.set(faces[i].seen, why);
      return { faces, chosen: selection.chosen.map((i) => faces[i]) };
    }),
    dropped,
  };
}
