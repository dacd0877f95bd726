import type { Box, RgbImage } from "@omni-id/face/analysis";
import type { Clip } from "../curate/clip.ts";
import type { ClipEnd, ClipJournal } from "../curate/journal.ts";
import type { FaceSeen } from "../curate/observation.ts";
import { type Observer, observeFace, timed } from "../curate/observe.ts";
import { type PhotoReader, UnreadablePhoto } from "./photo-reader.ts";
import type { ImportSettings } from "./settings.ts";

/** Everything that is seen in a photo, into its journal. A photo that is of no use ends with the reason. */
export async function observePhoto(
  clip: Clip,
  journal: ClipJournal,
  observer: Observer<ImportSettings>,
  photos: PhotoReader,
): Promise<ClipEnd> {
  if (journal.end) return journal.end;
  const finish = (end: ClipEnd) => {
    journal.finish(end);
    return end;
  };
  if (clip.twin) return finish({ frames: 0, refused: "the same picture stands under another person too" });
  try {
    const image = await timed(observer, "reading", () => photos.read(clip.path));
    const { analyser, settings } = observer;
    const found = await timed(observer, "detection", async () => {
      const quick = await analyser.detect(image, { threshold: settings.minScore, effort: "quick" });
      return quick.length > 0 ? quick : analyser.detect(image, { threshold: settings.minScore });
    });
    const faces: FaceSeen[] = [];
    for (const detection of found) {
      faces.push({ ...(await observeFace(observer, image, detection)), away: awayFrom(image, detection.box) });
    }
    if (journal.frames.length === 0) journal.add({ n: 0, t: 0, cut: false, faces });
    return finish({ frames: 1 });
  } catch (error) {
    if (!(error instanceof UnreadablePhoto)) throw error;
    return finish({ frames: 0, refused: error.message });
  }
}

/** How far from the middle a box is, over the way to a corner. */
function awayFrom({ width, height }: RgbImage, box: Box): number {
  const [x, y] = [box.x + box.width / 2 - width / 2, box.y + box.height / 2 - height / 2];
  return Math.min(1, (2 * Math.hypot(x, y)) / Math.hypot(width, height));
}
