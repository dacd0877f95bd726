import {
  type AnalysedFace,
  describeNoFace,
  type FaceReader,
  faultOf,
  portraitOf,
  type RgbImage,
} from "@omni-id/face/plain";
import type { FoundPhoto, Portrait } from "./choose-faces.ts";

/** The faces of a photo, with the parts around them. @throws when there is none, and why that may be */
export async function findFaces(reader: FaceReader, name: string, image: RgbImage): Promise<FoundPhoto> {
  const faces = await reader.analyse(image);
  if (faces.length === 0) throw new Error(`${name}: ${describeNoFace(image)}`);
  return { name, faces: faces.map((face) => toPortrait(image, face)) };
}

/** A face with the part of its photo that later steps need. */
export function toPortrait(photo: RgbImage, face: AnalysedFace): Portrait {
  return { ...portraitOf(photo, face), width: face.box.width, fault: faultOf(photo, face) };
}
