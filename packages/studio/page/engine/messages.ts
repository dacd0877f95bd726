import type { AttentionAnswer, EncodeAnswer, GenerateRequest, IdentityInfo, ReconstructAnswer } from "../../src/api.ts";
import type { Models, Progress } from "./engine.ts";

/** What the page and its worker say to each other. Identities travel as the bytes of their files. */

export interface NamedBytes {
  id: string;
  name: string;
  bytes: Uint8Array;
  share: number;
}

export type Encoded = Omit<EncodeAnswer, "identity"> & { bytes: Uint8Array };

/** The worker's tasks by name: what each takes, and what it gives. */
export interface WorkerTasks {
  models: { asked: Record<string, never>; answer: Models };
  encode: { asked: { photos: File[] }; answer: Encoded };
  /** What an identity file says of itself. */
  read: {
    asked: { name: string; bytes: Uint8Array };
    answer: Pick<IdentityInfo, "photos" | "created" | "encoder" | "pictures">;
  };
  compare: { asked: { a: NamedBytes; b: NamedBytes }; answer: number };
  generate: {
    asked: Omit<GenerateRequest, "identities"> & { identities: NamedBytes[] };
    answer: { pictures: Blob[]; unknownWords: string[] };
  };
  landmarks: { asked: { photo: File }; answer: number[] };
  reconstruct: { asked: { photo: File; identities: NamedBytes[]; seed: number }; answer: ReconstructAnswer };
  attention: { asked: { photos: File[] }; answer: AttentionAnswer };
}

export type WorkerTask = keyof WorkerTasks;

export type ToWorker =
  | { kind: "start"; number: number; task: WorkerTask; asked: unknown }
  | { kind: "cancel"; number: number };

export type FromWorker =
  | { kind: "progress"; number: number; progress: Omit<Progress, "pictures"> & { pictures?: Blob[] } }
  | { kind: "done"; number: number; answer: unknown }
  | { kind: "failed"; number: number; message: string; cancelled: boolean };
