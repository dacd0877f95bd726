/** Raise when prepared sets are written in another way: those of the old way are then refused. */
export const PREPARED_VERSION = 1;
export const MANIFEST = "prepared.json";

/** What a prepared set says of itself: the same from all parts of a preparation. */
export interface PreparedManifest {
  version: number;
  /** Of the shards that it was made from. */
  source: string;
  people: number;
  shards: number;
  /** People of each shard but the last one. */
  perShard: number;
  /** Sides of the aligned crops, in pixels: a folder of shards each. */
  sizes: number[];
  /** Patches that `face` of an index tells of: the mask of which size, in patches of how many pixels. */
  face: { size: number; patch: number };
  /** Whose masks were taken. */
  faceMask: string;
  /** Whether an altered copy stands behind the only photo of those who have one. */
  altered: boolean;
  /** Of the JPEGs. */
  quality: number;
  split: { validation: string[]; test: string[] };
}

const numbered = (shard: number) => `people-${String(shard).padStart(6, "0")}`;
/** Shard of crops of a size, below the set's folder. */
export const shardFile = (size: number, shard: number) => `${size}/${numbered(shard)}.tar`;
/** What is known of a shard's people; written last, so that whoever finds it finds the shards too. */
export const indexFile = (shard: number) => `index/${numbered(shard)}.safetensors`;

/** The metadata of an index, each as JSON. */
export interface IndexNotes {
  ids: string[];
  counts: number[];
  /** People behind whose photos an altered copy stands. */
  altered: boolean[];
  captions: string[];
  /** SHA-256 of the shards, by size. */
  hashes: Record<string, string>;
}

/** @throws one line when it is no prepared set of this version */
export function parseManifest(where: string, text: string): PreparedManifest {
  let value: Partial<PreparedManifest> | null;
  try {
    value = JSON.parse(text) as Partial<PreparedManifest> | null;
  } catch (error) {
    throw new Error(`${where}: no JSON (${(error as Error).message})`);
  }
  const { version, shards, people, sizes, face, split } = value ?? {};
  if (version !== PREPARED_VERSION) {
    throw new Error(
      `${where}: version ${version ?? "unknown"}, and ${PREPARED_VERSION} is read here; prepare the set again (omni-id data prepare)`,
    );
  }
  const lists = [sizes, split?.validation, split?.test].every((list) => Array.isArray(list));
  if (!lists || !face || !Number.isInteger(shards) || !Number.isInteger(people)) {
    throw new Error(`${where}: damaged; prepare the set again (omni-id data prepare)`);
  }
  return value as PreparedManifest;
}
