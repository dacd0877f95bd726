import { F, manualSeed, onDevice, rand, randn, scope } from "@omni-id/torch";
import { People } from "../src/people/people.ts";
import type { PeopleShare } from "../src/people/share.ts";

/** Prepared people out of noise: what a stage does with them does not depend on what they look like. */
export function fakePeople(
  count: number,
  {
    images = 8,
    side = 64,
    altered = [],
    copies = 0,
    shares,
  }: {
    images?: number | readonly number[];
    side?: number;
    altered?: readonly boolean[];
    copies?: number;
    shares?: readonly PeopleShare[];
  } = {},
): People {
  manualSeed(11);
  const counts = typeof images === "number" ? new Array<number>(count).fill(images) : images;
  const rows = counts.reduce((sum, own) => sum + own * (1 + copies), altered.filter(Boolean).length);
  const drawn = () =>
    new Map(
      Object.entries({
        maps: randn([rows, 49, 1024]).half(),
        features: F.normalize(randn([rows, 512]), { dim: 1 }),
        crops: randn([rows, 3, side, side]).mul(50).add(128).clamp(0, 255).to("uint8"),
        masks: rand([rows, side, side]).lt(0.8).to("uint8"),
        points: rand([rows, 5, 2]).mul(side),
        landmarks: rand([rows, 68, 2]).mul(side),
        poses: randn([rows, 3]).mul(15),
      }),
    );
  // As the files of the cache: in main memory, whatever device trains.
  const tensors = onDevice("cpu", () => scope(drawn));
  const ids = Array.from({ length: count }, (_, i) => `fake-${i}`);
  const captions = Array.from({ length: rows }, (_, i) => (i % 2 === 0 ? "a photo of a man with red hair" : ""));
  return People.from(ids, counts, [{ tensors, captions }], { altered, copies, shares });
}
