/** Faces in photographs: found, measured, aligned, recognised. */
export * from "./analysis.ts";
export { cropBatch } from "./crop-batch.ts";
export { IndependentRecogniser } from "./independent.ts";
