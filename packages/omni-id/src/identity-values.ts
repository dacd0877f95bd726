import type { SafetensorsBytes } from "@omni-id/torch/plain";

/** What is known of one photo that went into an identity. */
export interface PhotoNote {
  name: string;
  /** 0…1 */
  quality: number;
  /** Degrees. */
  pose: { yaw: number; pitch: number; roll: number };
}

/** What an identity says of itself. */
export interface IdentityNotes {
  encoder: { name: string /** SHA-256 of the encoder's weights file. */; hash: string };
  photos: PhotoNote[];
  /** How far the pictures are from the kind that the encoder was trained on: about 1 is that kind. */
  strangeness?: number;
  /** ISO time. */
  created: string;
}

/** An identity as plain numbers: what comparing needs, without LibTorch. */
export interface IdentityValues extends IdentityNotes {
  /** ℓ, row by row. */
  values: Float32Array;
  /** `[L, C]` */
  shape: readonly number[];
}

const FORMAT = "omni-id-identity/1";

/** The metadata of an identity file, whose tensor is called `identity`. */
export function identityMetadata({ encoder, photos, strangeness, created }: IdentityNotes): Record<string, string> {
  return {
    format: FORMAT,
    encoder: encoder.name,
    encoderHash: encoder.hash,
    images: String(photos.length),
    photos: JSON.stringify(photos),
    ...(strangeness !== undefined && { strangeness: strangeness.toFixed(3) }),
    created,
  };
}

/**
 * An identity from an opened file.
 * @param file for messages
 * @throws when the file is no identity file, damaged, or of a later format
 */
export function identityFrom(opened: SafetensorsBytes, file: string): IdentityValues {
  const { format, encoder, encoderHash, photos, strangeness, created } = opened.metadata;
  if (!format?.startsWith("omni-id-identity/") || !opened.has("identity")) {
    throw new Error(`${file}: this is no identity file; make one with: omni-id encode photos/*.jpg -o ${file}`);
  }
  if (format !== FORMAT) throw new Error(`${file}: format ${format} is newer than this program (${FORMAT})`);
  const shape = opened.shape("identity");
  if (shape.length !== 2) throw new Error(`${file}: an identity has the shape [L, C], this is [${shape}]`);
  const values = opened.values("identity");
  if (!values.every(Number.isFinite)) throw new Error(`${file}: damaged, it holds values that are no numbers`);
  return {
    values,
    shape,
    encoder: { name: encoder ?? "unknown", hash: encoderHash ?? "" },
    photos: parsePhotos(photos),
    ...(Number.isFinite(Number.parseFloat(strangeness ?? "")) && { strangeness: Number(strangeness) }),
    created: created ?? "",
  };
}

/** Whether an encoder understands an identity. @throws when another one made it: its tokens mean nothing to this one */
export function checkEncoder(name: string, identity: Pick<IdentityNotes, "encoder">, hash: string): void {
  if (identity.encoder.hash === hash) return;
  throw new Error(
    `${name}: made by encoder ${identity.encoder.name} (${identity.encoder.hash.slice(0, 12)}), but this one is ` +
      `${hash.slice(0, 12)}; encode the photos again, or name the encoder it was made with (--weights)`,
  );
}

function parsePhotos(text: string | undefined): PhotoNote[] {
  try {
    const notes: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(notes) ? (notes as PhotoNote[]) : [];
  } catch {
    return []; // notes are for people; the identity stands without them
  }
}
