import { type nn, onDevice } from "@omni-id/torch";
import { Tokenizer } from "../text/tokenizer.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Family } from "./families.ts";
import { type LoadingOptions, type Misfits, misfits } from "./load.ts";
import { openCheckpoint } from "./open.ts";

/** A third-party file that a preset needs and that a person has to fetch. */
export interface WantedModel {
  what: string;
  /** Files or folders of which one is enough, below {@link modelsFolder}; weights are found under any other name too. */
  files: readonly string[];
  /** Which network it is, where it is one. */
  family?: Family;
  /** Another model has the same tensors: only the name tells which is meant, and no other name will do. */
  twins?: boolean;
  source: string;
  licence: string;
  size: string;
  /** Compares a file's header with the full-size model. @throws one line when it cannot be read at all */
  check(path: string): Misfits;
}

type Reading = Pick<LoadingOptions, "table"> & { make: () => nn.Module };

export const weights = (family: Family, read: (checkpoint: Checkpoint) => Reading) => ({
  family,
  check(path: string): Misfits {
    const checkpoint = openCheckpoint(path, family);
    const { make, table } = read(checkpoint);
    return misfits(checkpoint, onDevice("meta", make), { table });
  },
});

export const tokens = (options: { length: number; pad: string }) => ({
  check(path: string): Misfits {
    new Tokenizer(path, options);
    return { wanted: 1, missing: [], unknown: [], misshaped: [] };
  },
});
