import type { Tensor } from "@omni-id/torch";
import { z } from "zod";

/** One output that a golden file may hold, and how it is computed here. */
export interface Output {
  /** Its key in the file. */
  key: string;
  value: () => Tensor;
  /** Computed in another way than the file: its distance is reported, and is no failure. */
  told?: "bfloat16";
}

/** A size in a golden file's metadata. */
export const size = z.int().positive();
