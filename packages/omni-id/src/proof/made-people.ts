import { F, Generator, onDevice, rand, randn, scope } from "@omni-id/torch";
import { People } from "../people/people.ts";

/**
 * Prepared people out of noise, always the same: what a stage computes of them is the same on every device, whatever
 * they look like.
 */
export function madePeople(count: number, { images = 8, side = 64 } = {}): People {
  const rows = count * images;
  const drawn = () => {
    const generator = new Generator(11);
    return new Map(
      Object.entries({
        maps: randn([rows, 49, 1024], { generator }).half(),
        features: F.normalize(randn([rows, 512], { generator }), { dim: 1 }),
        crops: randn([rows, 3, side, side], { generator }).mul(50).add(128).clamp(0, 255).to("uint8"),
        masks: rand([rows, side, side], { generator }).lt(0.8).to("uint8"),
        points: rand([rows, 5, 2], { generator }).mul(side),
        landmarks: rand([rows, 68, 2], { generator }).mul(side),
        poses: randn([rows, 3], { generator }).mul(15),
      }),
    );
  };
  const tensors = onDevice("cpu", () => scope(drawn));
  const ids = Array.from({ length: count }, (_, i) => `made-${i}`);
  const captions = Array.from({ length: rows }, (_, i) => (i % 2 === 0 ? "a photo of a man with red hair" : ""));
  const counts = ids.map(() => images);
  return People.from(ids, counts, [{ tensors, captions }]);
}
