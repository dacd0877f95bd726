/**
 * Omni-ID in a browser: photos in, an identity and pictures out, nothing sent anywhere. The models are those that
 * `omni-id export --web DIR` writes; ONNX Runtime is given from outside.
 *
 * @example
 * import * as ort from "onnxruntime-web";
 * import { openStudio } from "omni-id/web";
 * const fetchModel = async (file: string) => new Uint8Array(await (await fetch(`models/${file}`)).arrayBuffer());
 * const studio = await openStudio({ fetchModel, ort });
 * const photos = [await studio.analyse({ name: "alice.jpg", image })]; // { width, height, data: RGB bytes }
 * const { identity } = await studio.encode(photos);
 * const pictures = await studio.generate({ identity, pose: { yaw: 20, pitch: 0 }, n: 4, seed: 1 });
 * const file = studio.saveIdentity(identity); // the bytes of alice.safetensors
 */
export { chooseQueries } from "../evaluate/attention-maps.ts";
export { overlay } from "../evaluate/attention-overlay.ts";
export { kindOfPictures } from "../generate/draw-settings.ts";
export type { IdentityValues } from "../identity-values.ts";
export { EXPRESSIONS, type ExpressionName, expressionNamed } from "../pictures/expressions.ts";
export { openStudio } from "./open-studio.ts";
export type * from "./types.ts";
