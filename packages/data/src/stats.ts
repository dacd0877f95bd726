import { FaceAnalyser, loadImage } from "@omni-id/face";
import type { ShardSet } from "./shards.ts";

/** What a set holds. */
export interface ShardStats {
  identities: number;
  images: number;
  /** How many identities have how many images. */
  imagesPerIdentity: Record<number, number>;
  /** Share of images in bands of 15°, from −90°. */
  yaw: number[];
  pitch: number[];
  /** Smallest and largest side, pixels. */
  size: [number, number];
  /** Share of a sample of images in which the detector finds a face. */
  detected: { share: number; images: number };
}

const BANDS = 12;
const band = (degrees: number) => Math.max(0, Math.min(BANDS - 1, Math.floor((degrees + 90) / 15)));

/** Counts a set of shards; the detector looks at a sample of `detect` images. */
export async function shardStats(
  shards: ShardSet,
  { detect = 200, onProgress }: { detect?: number; onProgress?: (done: number, total: number) => void } = {},
): Promise<ShardStats> {
  const yaw = new Array<number>(BANDS).fill(0);
  const pitch = new Array<number>(BANDS).fill(0);
  const imagesPerIdentity: Record<number, number> = {};
  const size: [number, number] = [Number.POSITIVE_INFINITY, 0];
  const faces = detect > 0 ? await FaceAnalyser.load() : undefined;
  const step = Math.max(1, Math.floor(shards.ids.length / Math.max(1, detect)));
  let [images, looked, found] = [0, 0, 0];
  for (const [number, id] of shards.ids.entries()) {
    const record = await shards.read(id);
    imagesPerIdentity[record.images.length] = (imagesPerIdentity[record.images.length] ?? 0) + 1;
    for (const { pose, width, height } of record.images) {
      yaw[band(pose.yaw)]++;
      pitch[band(pose.pitch)]++;
      size[0] = Math.min(size[0], width, height);
      size[1] = Math.max(size[1], width, height);
      images++;
    }
    if (faces && number % step === 0 && looked < detect) {
      const index = looked % record.images.length;
      const photo = await loadImage(await record.image(index), { name: `${id}.${index}.jpg` });
      found += Number((await faces.detect(photo)).length > 0);
      looked++;
    }
    onProgress?.(number + 1, shards.ids.length);
  }
  const share = (counts: number[]) => counts.map((count) => count / images);
  return {
    identities: shards.ids.length,
    images,
    imagesPerIdentity,
    yaw: share(yaw),
    pitch: share(pitch),
    size,
    detected: { share: looked > 0 ? found / looked : 0, images: looked },
  };
}

/** The figures as text with bars. */
export function renderStats(stats: ShardStats): string {
  const { identities, images, imagesPerIdentity, size, detected } = stats;
  const counts = Object.entries(imagesPerIdentity).map(([n, people]) => `${people} × ${n}`);
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  return [
    `${identities} identities, ${images} images (${counts.join(", ")}), ${size[0]}–${size[1]} px`,
    `the detector finds a face in ${percent(detected.share)} of ${detected.images} images`,
    ...histogram("yaw", stats.yaw),
    ...histogram("pitch", stats.pitch),
  ].join("\n");
}

function histogram(name: string, shares: readonly number[]): string[] {
  const most = Math.max(...shares, 1e-9);
  const lines = shares.flatMap((share, i) => {
    if (share === 0) return [];
    const from = -90 + 15 * i;
    const bar = "█".repeat(Math.max(1, Math.round((40 * share) / most)));
    return [`${`${from}…${from + 15}°`.padStart(9)} ${bar} ${(100 * share).toFixed(1)} %`];
  });
  return [`${name}:`, ...lines];
}
