import type {
  AttentionAnswer,
  EncodeAnswer,
  GenerateAnswer,
  GenerateRequest,
  IdentityInfo,
  LandmarksAnswer,
  ReconstructAnswer,
} from "../../src/api.ts";
import type { LogLine, Run } from "../../src/disk/run-types.ts";

/** What the page knows of the models. */
export interface Models {
  version: string;
  encoder: string;
  canDraw: boolean;
  imageSize: number;
  guidance: number;
  realGuidance: number;
  steps: number;
  words: readonly string[];
  expressions: readonly string[];
  /** Where identities can be saved, beside the visitor's own downloads. */
  folder: string | null;
  /** Photos that one identity may be made of. */
  mostPhotos: number;
}

/** How far a piece of work is. */
export interface Progress {
  /** What is being done: the work itself, waiting for others' work, or fetching models. */
  what: "work" | "queue" | "models";
  done: number;
  /** In photos or steps; of models in bytes. */
  total: number;
  /** Pictures as they are so far, as addresses. */
  pictures?: readonly string[];
}

/** How a piece of work is followed, and ended. */
export interface Work {
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
}

/**
 * Everything that the page needs done. There are two of them: a server on the visitor's machine, and the browser itself.
 * Pictures are addresses that an `img` shows. Errors are sentences for a person; what was cancelled is an `AbortError`.
 */
export interface Engine {
  readonly kind: "server" | "browser";
  models(work?: Work): Promise<Models>;
  people(): Promise<IdentityInfo[]>;
  encode(name: string, photos: readonly File[], work?: Work): Promise<EncodeAnswer>;
  /** Takes up an identity file. */
  open(file: File): Promise<IdentityInfo>;
  /** The identity file. */
  file(id: string): Promise<Blob>;
  /** Saves one in the folder of {@link Models.folder}. */
  save(id: string): Promise<IdentityInfo>;
  forget(id: string): Promise<void>;
  compare(a: string, b: string): Promise<number>;
  generate(request: GenerateRequest, work?: Work): Promise<GenerateAnswer>;
  landmarks(photo: File, work?: Work): Promise<LandmarksAnswer>;
  reconstruct(photo: File, ids: readonly string[], seed: number, work?: Work): Promise<ReconstructAnswer>;
  attention(photos: readonly File[], work?: Work): Promise<AttentionAnswer>;
  /** What lies on the server's disk; absent in a browser. */
  readonly disk?: Disk;
}

export interface SetSummary {
  name: string;
  shards: number;
  bytes: number;
}

export interface SetPerson {
  id: string;
  source: string;
  images: { pose: { yaw: number; pitch: number }; caption: string; quality?: number; from?: { clip: string } }[];
}

/** Views of what is on the server's disk. */
export interface Disk {
  runs(): Promise<Run[]>;
  curves(run: string): Promise<{ lines: LogLine[]; pictures: string[] }>;
  sets(): Promise<SetSummary[]>;
  setPeople(set: string, from: number, count: number): Promise<{ total: number; people: SetPerson[] }>;
  results(): Promise<string[]>;
  resultJson(name: string): Promise<unknown>;
  /** Addresses of pictures; the caller revokes them. */
  runPicture(run: string, file: string): Promise<string>;
  setPicture(set: string, id: string, index: number): Promise<string>;
  resultPicture(name: string): Promise<string>;
}
