import { type RgbImage, toSharp } from "@omni-id/face";
import sharp from "sharp";
import { KeyedRandom } from "../random.ts";
import { ageDial } from "./morph.ts";
import type { Person } from "./person.ts";

/*
 * Pictures as sets have them that were gathered from the web for face recognition, and what the paper finds wrong with
 * these (section 3.4): low resolution, and years and quality that differ between the pictures of one person. Wrong
 * labels and other cameras belong to such sets too.
 */

/** Times of a life that a person's pictures are from. */
const TIMES = 3;
/** Share of the pictures that hang at another person's name. */
const WRONG = 0.06;
/** Sides of the faces' pictures over the size of a set's pictures: WebFace has 112 pixels, of which many were fewer. */
const SIDES = [0.25, 0.6] as const;

/** Which time of a person's life a picture is from. */
export const timeOf = (seed: number, identity: number, image: number): number =>
  new KeyedRandom(seed, identity, image, 0x7173e).below(TIMES);

/** The same person at another time: up to sixteen years and some weight from now, and what a beard and lips were like then. */
export function atTime(person: Person, time: number): Person {
  const r = new KeyedRandom(person.seed, person.identity, time, 0xa9e5);
  const years = Math.max(16, Math.min(85, Math.round(person.years + r.range(-16, 16))));
  const weight = Math.max(0.05, Math.min(0.98, person.macro.weight + r.range(-0.25, 0.25)));
  const beard = person.skin.beard > 0 || person.sex === "male" ? Math.max(0, Math.min(1, r.range(-0.4, 1))) : 0;
  return {
    ...person,
    years,
    macro: { ...person.macro, age: ageDial(years), weight },
    skin: {
      ...person.skin,
      beard: person.sex === "male" && years > 19 ? beard : 0,
      lipstick: person.skin.lipstick * r.uniform(),
      redness: person.skin.redness * r.range(0.5, 1.6),
    },
    beardStyle: beard >= 0.8 ? person.beardStyle : null,
    glasses: { ...person.glasses, worn: r.chance(0.2) },
  };
}

/** A picture through another camera: few pixels, its own white and contrast, hard compression; as large as before. */
export async function throughOtherCamera(image: RgbImage, ...key: number[]): Promise<RgbImage> {
  const r = new KeyedRandom(...key, 0xca3e7a);
  const side = Math.max(12, Math.round(image.width * r.range(...SIDES)));
  const [red, green, blue] = [r.range(0.8, 1.2), r.range(0.9, 1.1), r.range(0.8, 1.2)];
  const contrast = r.range(0.75, 1.3);
  const shift = 128 * (1 - contrast) + r.range(-22, 22);
  const small = await toSharp(image)
    .resize(side, side, { kernel: "linear" })
    .linear([red * contrast, green * contrast, blue * contrast], [shift, shift, shift])
    .jpeg({ quality: Math.round(r.range(28, 75)) })
    .toBuffer();
  const { data, info } = await sharp(small)
    .resize(image.width, image.height, { kernel: "cubic" })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data: new Uint8Array(data.buffer, data.byteOffset, data.length) };
}

/** Exchanges some pictures between people: each stays a face with its own truth, at another's name. */
export function mislabel<Image, Pictured extends { person: Person; images: readonly Image[] }>(
  people: readonly Pictured[],
  seed: number,
): (Pictured & { images: Image[] })[] {
  const all = people.map((person) => ({ ...person, images: [...person.images] }));
  for (const [i, { person, images }] of all.entries()) {
    const other = all[(i + 1) % all.length];
    if (other === all[i]) continue;
    for (const image of images.keys()) {
      // An exchange makes two wrong ones.
      if (!new KeyedRandom(seed, person.identity, image, 0x3a0e1).chance(WRONG / 2) || !other.images[image]) continue;
      [images[image], other.images[image]] = [other.images[image], images[image]];
    }
  }
  return all;
}
