import { encodeSafetensors, halfBits, parseSafetensors } from "@omni-id/torch/plain";
import { REAL_GUIDANCE } from "../generate/draw-settings.ts";
import { checkEncoder, type IdentityValues, identityFrom, identityMetadata } from "../identity-values.ts";
import { mainPortrait, type Portrait } from "../pictures/choose-faces.ts";
import { HiddenFace } from "../pictures/hidden-face.ts";
import { inAlignedCrop, poseLandmarks } from "../pictures/mean-face.ts";
import { rgbOf } from "../pictures/planes.ts";
import { similarityBy, strangenessBy } from "../similarity.ts";
import { Drawing } from "./drawing.ts";
import type { ModelName } from "./manifest.ts";
import { Models } from "./models.ts";
import { People } from "./people.ts";
import type { AnalysedPhoto, PoseOptions, Studio, StudioInfo, StudioOptions } from "./types.ts";

/** Models by what they are needed for. */
const PARTS: Readonly<Record<"encode" | "generate" | "reconstruct", readonly ModelName[]>> = {
  encode: ["detector", "landmarks", "pose", "recogniser", "encoder"],
  generate: ["prompts", "adapter", "control", "flux", "latents"],
  reconstruct: ["decoder"],
};

/**
 * Opens an export: reads its manifest; models are fetched when they are first needed.
 * @throws when the manifest is missing, or of another version than this program
 */
export async function openStudio(options: StudioOptions): Promise<Studio> {
  const models = await Models.open(options);
  const { manifest } = models;
  const { encoder, identity: shape, imageSize, meanFace, hidden } = manifest;
  const drawing = new Drawing(models);
  const { mean = [], deviation = [] } = manifest.statistics ?? {};
  const statistics = {
    carried: manifest.carried,
    mean: Float32Array.from(mean),
    deviation: Float32Array.from(deviation),
  };
  const similarity = similarityBy(statistics);
  const people = new People(models, strangenessBy(statistics));
  const check = (name: string, identity: IdentityValues) => {
    checkEncoder(name, identity, encoder.hash);
    return identity;
  };
  const inPose = (pose: PoseOptions) => poseLandmarks(meanFace, pose, imageSize);

  return {
    info: infoOf(models),
    warm: (part) => models.open(PARTS[part]),
    analyse: (photo) => people.analyse(photo),
    encode: (photos) => people.encode(photos),
    attention: (photos, { block = manifest.blocks } = {}) => people.attention(photos, block),

    mix(weighted) {
      const total = weighted.reduce((sum, { weight }) => sum + weight, 0);
      if (!(total > 0)) throw new RangeError("mixed identities need weights whose sum is above 0");
      const values = new Float32Array(shape[0] * shape[1]);
      for (const { name, identity, weight } of weighted) {
        const share = Math.fround(weight / total);
        for (const [i, value] of check(name, identity).values.entries()) values[i] += Math.fround(value * share);
      }
      return { values, shape, encoder, photos: [], created: new Date().toISOString() };
    },

    compare: (a, b) => similarity(check("the first identity", a), check("the second identity", b)),
    poseLandmarks: inPose,
    photoLandmarks: (photo) => inAlignedCrop(mainOf(photo).face.landmarks, imageSize),
    unknownWords: (prompt) => drawing.vocabulary.unknown(prompt),

    async generate({ pose, ...asked }) {
      if (asked.identity) check("the identity", asked.identity);
      return drawing.draw({ ...asked, landmarks: asked.landmarks ?? (pose && inPose(pose)) });
    },

    async reconstruct({ target, identity, seed }) {
      const { image, face } = mainOf(target);
      const hiding = new HiddenFace(image, face.landmarks, { ...hidden, seed });
      const { index, visible } = hiding.tokens;
      const [made] = await models.run("decoder", {
        truth: { data: hiding.truth, dims: [1, 3, hiding.side, hiding.side] },
        index: { data: BigInt64Array.from(index, BigInt), dims: [1, index.length] },
        visible: { data: BigInt64Array.from(visible, (one) => BigInt(one)), dims: [1, visible.length] },
        identity: { data: check("the identity", identity).values, dims: [1, ...shape] },
      });
      const rgb = (planes: Float32Array) => rgbOf(planes, hiding.side);
      return {
        target: rgb(hiding.truth),
        visible: rgb(hiding.visible()),
        picture: rgb(hiding.paste(made)),
        l1: hiding.l1(made),
      };
    },

    saveIdentity(identity, { dtype = "float16" } = {}) {
      const numbers = dtype === "float16" ? halfBits(identity.values) : identity.values;
      const data = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
      const code = dtype === "float16" ? "F16" : "F32";
      return encodeSafetensors([{ name: "identity", code, shape: identity.shape, data }], identityMetadata(identity));
    },
    loadIdentity: (bytes, name = "the identity file") => identityFrom(parseSafetensors(bytes, name), name),
    close: () => models.close(),
  };
}

function infoOf(models: Models): StudioInfo {
  const { encoder, imageSize, drawing, words, mostWords, identity, blocks } = models.manifest;
  const { guidance, steps, solver, prompt } = drawing;
  const defaults = { guidance, realGuidance: REAL_GUIDANCE, steps, solver, prompt };
  return { encoder, imageSize, ...defaults, words, mostWords, queries: identity[0], blocks, bytes: models.bytes };
}

/** The face that a photo is of. @throws with the photo's name and the reason when it shows none that can be used */
function mainOf({ name, reason, portraits }: AnalysedPhoto): Portrait {
  if (portraits.length === 0) throw new Error(`${name}: ${reason ?? "no face found"}`);
  return mainPortrait(name, portraits);
}
