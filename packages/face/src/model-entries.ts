import type { AssetName } from "./asset-packages.ts";

/** A third-party model: what it is, what it wants, and on what terms it may be used. */
export interface ModelEntry {
  name: string;
  package: AssetName;
  /** Path inside the package. */
  file: string;
  input: string;
  output: string;
  licence: string;
  source: string;
  sha256: string;
}

const faceplugin = {
  package: "faceplugin-face-recognition-js",
  licence: "MIT",
  source: "https://www.npmjs.com/package/faceplugin-face-recognition-js",
} as const;

/** Finds faces. */
export const detectorModel: ModelEntry = {
  ...faceplugin,
  name: "fr_detect",
  file: "model/fr_detect.onnx",
  input: "[1, 3, 240, 320] RGB, (x − 127) / 128",
  output: "scores [1, 4420, 2], boxes [1, 4420, 4] as shares of the picture",
  sha256: "6c0256ccd3164f844736a401faf936ec2930764a87ae39442180887d0c5c8854",
};

/** Places 68 landmarks. */
export const landmarkModel: ModelEntry = {
  ...faceplugin,
  name: "fr_landmark",
  file: "model/fr_landmark.onnx",
  input: "[1, 1, 64, 64] grey, x / 256, the square face box",
  output: "[1, 136], shares of the box",
  sha256: "f10b0ba1d2a8a099adefede1ebf3733e44fe370715e7303dbeb7f59c02142258",
};

/** Reads head pose (HopeNet). */
export const poseModel: ModelEntry = {
  ...faceplugin,
  name: "fr_pose",
  file: "model/fr_pose.onnx",
  input: "[1, 3, 224, 224] RGB, ImageNet normalisation, the tight square face box",
  output: "yaw, pitch, roll as 66 bins of 3° from −99°",
  sha256: "72d032ec941b7153bf8d3f2c03a4c165453cc7e63d479041ec7c6ef087e5839d",
};

/** Recognises people; also the nano backbone (a MobileFaceNet). */
export const recogniserModel: ModelEntry = {
  ...faceplugin,
  name: "fr_feature",
  file: "model/fr_feature.onnx",
  input: "[1, 3, 112, 112] RGB, (x − 127) / 128, ArcFace template",
  output: "[1, 512]; compare by cosine",
  sha256: "87aacdfe57510db2af90c0251df680e8eec88f122ee94712121d09bcaaaf3581",
};

/** The independent recogniser, which only measures (dlib's network, ported by face-api). */
export const independentModel: ModelEntry = {
  name: "face_recognition_model",
  package: "@vladmandic/face-api",
  file: "model/face_recognition_model.bin",
  input: "[B, 3, 150, 150] RGB, (x − mean) / 255, dlib chip with 25 % padding",
  output: "[B, 128]; compare by euclidean distance",
  licence: "MIT (weights: dlib, CC0)",
  source: "https://www.npmjs.com/package/@vladmandic/face-api",
  sha256: "b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589",
};

/** The default set. */
export const models: readonly ModelEntry[] = [
  detectorModel,
  landmarkModel,
  poseModel,
  recogniserModel,
  independentModel,
];
