import type { RgbImage } from "@omni-id/face";
import type { IdentityValues, PhotoNote, QueryFocus } from "omni-id";
import type { About, Pose } from "../api.ts";

/** A photo as it was uploaded; it is never written to a disk. */
export interface PhotoBytes {
  name: string;
  bytes: Uint8Array;
}

export interface NamedIdentity {
  id: string;
  name: string;
  values: IdentityValues;
  share: number;
}

/** What the engine's thread does, by name: what each task takes, and what it gives. Pictures are PNG files. */
export interface Tasks {
  about: { asked: Record<string, never>; answer: Omit<About, "version" | "folder" | "limits"> };
  encode: {
    asked: { photos: PhotoBytes[] };
    answer: {
      values: IdentityValues;
      used: { photo: string; face: Uint8Array; quality: number; pose: PhotoNote["pose"] }[];
      refused: { photo: string; reason: string }[];
      warnings: string[];
    };
  };
  generate: {
    asked: {
      identities: NamedIdentity[];
      pose?: Pose;
      expression?: string;
      landmarks?: number[];
      prompt?: string;
      count: number;
      seed: number;
      steps?: number;
      guidance?: number;
      preview?: boolean;
    };
    answer: { pictures: Uint8Array[]; unknownWords: string[] };
  };
  reconstruct: {
    asked: { photo: PhotoBytes; identities: NamedIdentity[]; seed: number };
    answer: { target: Uint8Array; visible: Uint8Array; made: { id: string; picture: Uint8Array; l1: number }[] };
  };
  landmarks: { asked: { photo: PhotoBytes }; answer: { landmarks: number[] } };
  attention: {
    asked: { photos: PhotoBytes[]; block?: number };
    answer: {
      block: number;
      side: number;
      placed: number;
      photos: { photo: string; crop: Uint8Array; maps: number[][] }[];
      queries: QueryFocus[];
    };
  };
}

export type TaskName = keyof Tasks;
export type Asked<Name extends TaskName> = Tasks[Name]["asked"];
export type Answer<Name extends TaskName> = Tasks[Name]["answer"];

/** How far a task is; pictures as they are so far, where they were asked for, as plain pixels: encoding them waits. */
export interface TaskProgress {
  done: number;
  total: number;
  pictures?: RgbImage[];
}

/** What runs beside a task. */
export interface TaskContext {
  /** @throws {Cancelled} when nobody waits for the task any more */
  progress: (progress: TaskProgress) => void;
}

/** A task that nobody waits for any more. */
export class Cancelled extends Error {
  constructor() {
    super("cancelled");
    this.name = "Cancelled";
  }
}
