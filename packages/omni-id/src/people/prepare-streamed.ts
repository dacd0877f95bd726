import { availableParallelism } from "node:os";
import {
  type CutPerson,
  compiledWorker,
  isWritten,
  type Part,
  PREPARED_VERSION,
  type PreparedManifest,
  readManifest,
  type ShardSample,
  ShardSet,
  splitOf,
  WorkerPool,
  writeManifest,
  writePreparedShard,
} from "@omni-id/data";
import type { Preset } from "../presets/schema.ts";
import { chunk } from "./chunk.ts";
import type { CutSettings } from "./cut-person.ts";
import { checkMasks } from "./prepare.ts";

export interface PrepareStreamedOptions {
  /** Folder of shards. */
  data: string;
  /** Folder of the prepared set. */
  out: string;
  preset: Preset;
  /** JPEG quality. */
  quality: number;
  /** People of a shard. */
  perShard: number;
  /** Every n-th shard only. */
  part?: Part;
  workers?: number;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

export interface PreparedStreamed {
  people: number;
  /** Shards of this part, and those that were written now. */
  shards: number;
  written: number;
  sizes: number[];
  /** Whether all was done before the signal came. */
  finished: boolean;
}

/** Sides of the crops that a preset's stages want, in pixels. @throws when its backbone computes maps of photos ahead */
export function sizesOf({ backbone, mtd, flow, name }: Preset): number[] {
  if (backbone.kind !== "clip") {
    throw new Error(
      `preset ${name}: its frozen backbone computes maps of the photos once, and these are kept (--cache); pictures are streamed for a backbone that is trained, as in the paper preset`,
    );
  }
  return [...new Set([backbone.imageSize, mtd.imageSize, flow.imageSize])].sort((a, b) => a - b);
}

/**
 * Cuts and encodes the pictures of a set once, at every size that a preset's stages want, into shards that training
 * streams. Interrupted, the same call goes on where it stopped; parts of a set go into one folder, in any order.
 */
export async function prepareStreamed(options: PrepareStreamedOptions): Promise<PreparedStreamed> {
  const { data, out, preset, quality, perShard, part, workers = availableParallelism(), signal, onProgress } = options;
  const shards = await ShardSet.open(data);
  if (preset.faceMask === "segmentation") checkMasks(shards, shards.ids);
  const groups = chunk(shards.ids, perShard);
  const split = splitOf(shards);
  const settings: CutSettings = {
    sizes: sizesOf(preset),
    face: { size: preset.mtd.imageSize, patch: preset.mtd.decoder.patchSize },
    quality,
    altered: preset.singles === "altered",
  };
  const manifest: PreparedManifest = {
    version: PREPARED_VERSION,
    source: shards.fingerprint,
    people: shards.ids.length,
    shards: groups.length,
    perShard,
    ...settings,
    sizes: [...settings.sizes],
    faceMask: preset.faceMask,
    split: { validation: split.validation, test: split.test },
  };
  checkSame(out, manifest);
  writeManifest(out, manifest);

  const own = [...groups.keys()].filter((shard) => !part || shard % part.count === part.index - 1);
  const missing = own.filter((shard) => !isWritten(out, shard));
  const pool = new WorkerPool<{ sample: ShardSample; settings: CutSettings }, CutPerson>(
    compiledWorker(import.meta.url, "cut-worker.js"),
    workers,
  );
  let written = 0;
  try {
    for (const shard of missing) {
      if (signal?.aborted) break;
      const people = await cutShard(pool, groups[shard], { shards, settings, workers });
      await writePreparedShard(out, shard, people, manifest);
      written++;
      onProgress?.(own.length - missing.length + written, own.length);
    }
  } finally {
    await pool.close();
  }
  const { sizes } = manifest;
  return { people: manifest.people, shards: own.length, written, sizes, finished: written === missing.length };
}

/** @throws when a folder holds a set that was prepared otherwise */
function checkSame(out: string, manifest: PreparedManifest): void {
  const before = readManifest(out);
  if (!before || JSON.stringify(before) === JSON.stringify(manifest)) return;
  const [was, is] = [before, manifest].map((one) => new Map(Object.entries(one)));
  const differs = [...is.keys()].filter((key) => JSON.stringify(was.get(key)) !== JSON.stringify(is.get(key)));
  throw new Error(`${out}: a set that was prepared otherwise lies here (${differs.join(", ")}); choose another folder`);
}

/** A shard's people in their order, no more of them in memory at once than threads work on. */
async function cutShard(
  pool: WorkerPool<{ sample: ShardSample; settings: CutSettings }, CutPerson>,
  ids: readonly string[],
  { shards, settings, workers }: { shards: ShardSet; settings: CutSettings; workers: number },
): Promise<CutPerson[]> {
  const people = new Array<CutPerson>(ids.length);
  let next = 0;
  const work = async () => {
    while (next < ids.length) {
      const place = next++;
      people[place] = await pool.run({ sample: await shards.sample(ids[place]), settings });
    }
  };
  await Promise.all(Array.from({ length: workers + 1 }, work));
  return people;
}
