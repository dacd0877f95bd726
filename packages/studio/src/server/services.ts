import type { Comparison } from "omni-id";
import type { Answer } from "../engine/tasks.ts";
import type { Budget } from "./budget.ts";
import type { IdentityStore } from "./identities.ts";
import type { JobQueue } from "./queue.ts";
import type { UploadLimits } from "./uploads.ts";

/** Folders that the page shows, by what lies in them. */
export interface Places {
  /** Folders of trainings (log.jsonl and pictures of held-out people). */
  runs: string;
  /** Sets of people: a folder of shards, or a folder of such folders. */
  sets: string[];
  /** What the commands measured. */
  results: string;
}

/** What the routes share. */
export interface Services {
  store: IdentityStore;
  queue: JobQueue;
  budget: Budget;
  limits: UploadLimits;
  places: Places;
  comparison: () => Promise<Comparison>;
  /** What the engine says of its models. */
  models: () => Promise<Answer<"about">>;
}
