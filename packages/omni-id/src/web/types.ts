import type { AnalysedFace, RgbImage } from "@omni-id/face/plain";
import type { QueryFocus } from "../evaluate/attention-maps.ts";
import type { IdentityValues } from "../identity-values.ts";
import type { Portrait } from "../pictures/choose-faces.ts";
import type { ExpressionName } from "../pictures/expressions.ts";
import type { SolverName } from "../sampling-steps.ts";

/** A tensor as ONNX Runtime has it. */
export interface OrtTensor {
  readonly data: unknown;
  readonly dims: readonly number[];
}

/** One opened model. */
export interface OrtSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Readonly<Record<string, OrtTensor>>, fetches?: readonly string[]): Promise<Record<string, OrtTensor>>;
  release?(): Promise<void>;
}

/** ONNX Runtime as the studio uses it: the modules `onnxruntime-web` and `onnxruntime-node` are both one. */
export interface OrtRuntime {
  InferenceSession: { create(model: Uint8Array, options?: Readonly<Record<string, unknown>>): Promise<OrtSession> };
  Tensor: new (
    type: "float32" | "int64" | "bool",
    data: Float32Array | BigInt64Array | Uint8Array,
    dims: readonly number[],
  ) => OrtTensor;
}

/** How far the files have come that a call needs. */
export interface DownloadProgress {
  /** Name of the file that has just come. */
  file: string;
  /** Bytes that are there, and bytes of all files of the export. */
  done: number;
  total: number;
}

export interface StudioOptions {
  /** Bytes of a file of the export (`omni-id export --web`), by its name: `manifest.json` first, the models when they are needed. */
  fetchModel: (file: string) => Promise<Uint8Array>;
  ort: OrtRuntime;
  /** For every session, such as `{ executionProviders: ["webgpu", "wasm"] }`. */
  session?: Readonly<Record<string, unknown>>;
  onDownload?: (progress: DownloadProgress) => void;
}

/** What the page must know of the weights. */
export interface StudioInfo {
  encoder: { name: string; hash: string };
  /** Side of the pictures that are drawn, in pixels. */
  imageSize: number;
  /** Defaults of {@link Studio.generate}. */
  guidance: number;
  /** Guidance that suits identities of real photographs. */
  realGuidance: number;
  steps: number;
  solver: SolverName;
  prompt: string;
  /** Words that a prompt may hold; the model knows no others. */
  words: readonly string[];
  /** Words of a prompt at most. */
  mostWords: number;
  /** L, queries of the encoder, and its cross-attention blocks. */
  queries: number;
  blocks: number;
  /** Bytes of all files together. */
  bytes: number;
}

/** Pixels of one photo, upright, with the name that messages call it by. */
export interface StudioPhoto {
  name: string;
  image: RgbImage;
}

/** One photo after the analysis: plain data, which a worker may send. */
export interface AnalysedPhoto {
  name: string;
  width: number;
  height: number;
  /** Whether the photo can be used, as far as it tells by itself. */
  accepted: boolean;
  /** Why not, and what to do; absent where it is accepted. */
  reason?: string;
  /** What a person should know though it is accepted. */
  warnings: string[];
  /** All faces, largest first, in pixels of the photo: box, 68 landmarks, pose (degrees), quality, … */
  faces: AnalysedFace[];
  /** The face that would be taken, an index into `faces`; absent where none is. */
  chosen?: number;
  /** The parts of the photo around each face, which encoding needs: in the order of `faces`, in their own pixels. */
  portraits: Portrait[];
}

/** An identity and what became of each photo. */
export interface EncodedPerson {
  identity: IdentityValues;
  /** Photos that went in, and the crop that the encoder saw. */
  used: { photo: string; crop: RgbImage }[];
  refused: { photo: string; reason: string }[];
  warnings: string[];
}

/** A pose of the mean face. Degrees: yaw to the image's right (±75), pitch up (±45). */
export interface PoseOptions {
  yaw: number;
  pitch: number;
  /** Neutral when absent. */
  expression?: ExpressionName;
}

export interface StudioStep {
  /** From 1 to `steps`. */
  step: number;
  steps: number;
  /** The pictures as the model now sees them; only where `previews` was asked for. */
  pictures?: RgbImage[];
}

export interface StudioGenerateOptions {
  /** Whom to draw; nobody in particular when absent. */
  identity?: IdentityValues;
  /** Pose of the mean face; or `landmarks`, which wins. */
  pose?: PoseOptions;
  /** 68 points, 136 numbers, in pixels of the picture that is drawn: of {@link Studio.photoLandmarks}, for one. */
  landmarks?: ArrayLike<number>;
  prompt?: string;
  /** The same seed gives the same pictures; 0 when absent. */
  seed?: number;
  /** Pictures; 4 when absent. */
  n?: number;
  guidance?: number;
  steps?: number;
  solver?: SolverName;
  previews?: boolean;
  onStep?: (step: StudioStep) => void;
  /** Ends the work between two steps: the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** A picture as bytes, and as the model gave it. */
export interface DrawnPicture {
  image: RgbImage;
  /** `[3, S, S]` in [−1, 1]. */
  values: Float32Array;
}

export interface Reconstruction {
  /** The target, aligned; what the decoder was shown of it; and its face drawn from the identity. */
  target: RgbImage;
  visible: RgbImage;
  picture: RgbImage;
  /** Mean absolute difference inside the face, pixels in 0…1. */
  l1: number;
}

/** What the encoder's queries look at in photos of one person (figure 10). */
export interface StudioAttention {
  /** The cross-attention block, from 1. */
  block: number;
  /** Side of the grid of a map. */
  side: number;
  photos: {
    name: string;
    /** What the backbone saw. */
    crop: RgbImage;
    /** Weights of each query over the places of the crop, row by row: `[L][side · side]`. */
    maps: Float32Array[];
  }[];
  /** How each query looks at faces. */
  queries: QueryFocus[];
  /** Share of all attention that went to places of the crops. */
  placed: number;
}

/** Everything that the page does, in the visitor's own browser: nothing is sent anywhere. */
export interface Studio {
  readonly info: StudioInfo;
  /** Fetches and opens what a part needs before it is asked for. */
  warm(part: "encode" | "generate" | "reconstruct"): Promise<void>;
  /** Finds and measures the faces of a photo. */
  analyse(photo: StudioPhoto): Promise<AnalysedPhoto>;
  /** Any number of photos of one person to one identity. @throws when none can be used; the message lists the reasons */
  encode(photos: readonly AnalysedPhoto[]): Promise<EncodedPerson>;
  /** Identities mixed by weights that are scaled to a sum of 1. @throws when one was made by another encoder */
  mix(people: readonly { name: string; identity: IdentityValues; weight: number }[]): IdentityValues;
  /** A cosine, −1…1, higher for the same person. @throws when one was made by another encoder */
  compare(a: IdentityValues, b: IdentityValues): number;
  /** Landmarks of the mean face in a pose, 136 numbers in pixels of the drawn picture. */
  poseLandmarks(pose: PoseOptions): Float32Array;
  /** Pose and expression of a photo's face. @throws when it shows none that can be used */
  photoLandmarks(photo: AnalysedPhoto): Float32Array;
  /** Words of a prompt that the model does not know. */
  unknownWords(prompt: string): string[];
  generate(options: StudioGenerateOptions): Promise<DrawnPicture[]>;
  /** A photo's face drawn anew from an identity: its pose and light are kept. */
  reconstruct(options: { target: AnalysedPhoto; identity: IdentityValues; seed?: number }): Promise<Reconstruction>;
  /** @param options.block cross-attention block, from 1; the last one when absent */
  attention(photos: readonly AnalysedPhoto[], options?: { block?: number }): Promise<StudioAttention>;
  /** The bytes of an identity file, as `omni-id encode` writes it; float16 when nothing is said. */
  saveIdentity(identity: IdentityValues, options?: { dtype?: "float16" | "float32" }): Uint8Array;
  /** @throws when the bytes are no identity file, or damaged; by the name in messages */
  loadIdentity(bytes: Uint8Array, name?: string): IdentityValues;
  /** Gives the memory of all models back. */
  close(): Promise<void>;
}
