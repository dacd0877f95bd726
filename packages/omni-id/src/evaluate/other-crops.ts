import type { ShardSet } from "@omni-id/data";
import { loadImage, type RgbImage } from "@omni-id/face";
import { scope, type Tensor } from "@omni-id/torch";
import { cutFace } from "../people/cut.ts";
import { rgbBatch, toUnit } from "../pictures/rgb-batch.ts";

/** One aligned crop each of so many people, spread over all, `[N, 3, S, S]` in [−1, 1]. */
export async function cropsOfOthers(
  shards: ShardSet,
  ids: readonly string[],
  { most, size }: { most: number; size: number },
): Promise<Tensor> {
  const every = Math.max(1, ids.length / most);
  const crops: RgbImage[] = [];
  for (let at = 0; at < ids.length; at += every) {
    const record = await shards.read(ids[Math.floor(at)]);
    const name = `${record.id}.0.jpg`;
    const photo = await loadImage(await record.image(0), { name });
    const told = { ...record.images[0], mask: await record.mask(0), name: `${record.id}.0.mask.png` };
    crops.push((await cutFace(photo, told, size)).crop);
  }
  return scope(() => toUnit(rgbBatch(crops)));
}
