import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type DownloadOptions, downloadFile, type KnownFile } from "./download.ts";
import { unpackPhotos } from "./unpack.ts";

/** Labeled Faces in the Wild, turned upright by deep funneling (Huang et al. 2012), where its authors publish it. */
export const LFW = {
  place: "http://vis-www.cs.umass.edu/lfw",
  file: "lfw-deepfunneled.tgz",
  /** As the authors' page tells it. */
  md5: "68331da3eb755a505a502b5aacb3c201",
  people: 5749,
  photos: 13_233,
} as const;

/** What somebody should know before these photographs come to their machine. */
export const LFW_TERMS = `Labeled Faces in the Wild: ${LFW.photos} press photographs of ${LFW.people} public people, collected from news pages
in 2002 and 2003 (Huang, Ramesh, Berg, Learned-Miller: UMass technical report 07-49, 2007).

From:     ${LFW.place}/${LFW.file} (about 110 MB)
Licence:  none is stated. The photographs belong to their photographers and agencies, and nobody who is shown was asked.
For:      research on faces. The authors say that the set is no measure of how well anything works for women, children,
          old people or people of some ethnicities, of whom it shows few, and no ground for any product.
So:       keep the photographs, what is cut from them and weights trained on them to yourself; publish numbers. In many
          countries faces are personal data: see to it that you may process them. \`omni-id data remove\` takes a
          person out again. For anything else, use photographs of people who agreed.`;

export interface FetchLfwOptions extends DownloadOptions {
  /** Folder of the archive and of the photos. */
  folder: string;
  /** Another address that the archive lies at: what comes is checked all the same. */
  from?: string;
  /** The archive to expect; a test has another one. */
  expect?: { md5: string; people: number; photos: number };
}

/**
 * Brings the photographs and unpacks them, one folder a person; what is there already is not brought again.
 * @returns the folder of the photos
 * @throws when they cannot be had, or are not those
 */
export async function fetchLfw({ folder, from, expect = LFW, ...options }: FetchLfwOptions): Promise<string> {
  const photos = join(folder, "photos");
  if (countPhotos(photos) !== expect.photos) {
    rmSync(photos, { recursive: true, force: true });
    const archive = join(folder, LFW.file);
    const file: KnownFile = {
      url: from ?? `${LFW.place}/${LFW.file}`,
      hash: { algorithm: "md5", hex: expect.md5 },
      most: 2 ** 29,
    };
    await downloadFile(file, archive, options);
    const found = await unpackPhotos(archive, photos);
    if (found?.people !== expect.people || found.photos !== expect.photos) {
      rmSync(photos, { recursive: true, force: true });
      throw new Error(
        `${archive}: ${found?.photos} photos of ${found?.people} people, and not ${expect.photos} of ${expect.people}`,
      );
    }
  }
  return photos;
}

function countPhotos(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder).reduce((sum, person) => sum + readdirSync(join(folder, person)).length, 0);
}
