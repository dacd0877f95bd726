import { defaultDevice, fromTypedArray, openSafetensors, saveSafetensors, scope, type Tensor } from "@omni-id/torch";

/** What is known of one photo that went into an identity. */
export interface PhotoNote {
  name: string;
  /** 0…1 */
  quality: number;
  /** Degrees. */
  pose: { yaw: number; pitch: number; roll: number };
}

/** One person, as the encoder that made it sees them. */
export interface Identity {
  /** ℓ, `[L, C]` float32. */
  tokens: Tensor;
  encoder: { name: string /** SHA-256 of the encoder's weights file. */; hash: string };
  photos: PhotoNote[];
  /** ISO time. */
  created: string;
}

const FORMAT = "omni-id-identity/1";

/** Writes the file a user keeps: tensor `identity` [L, C] and metadata. Atomic. */
export function saveIdentity(
  file: string,
  identity: Identity,
  { dtype = "float16" }: { dtype?: "float16" | "float32" } = {},
): void {
  saveSafetensors(
    file,
    { identity: identity.tokens.to(dtype) },
    {
      metadata: {
        format: FORMAT,
        encoder: identity.encoder.name,
        encoderHash: identity.encoder.hash,
        images: String(identity.photos.length),
        photos: JSON.stringify(identity.photos),
        created: identity.created,
      },
    },
  );
}

/** An identity file as plain numbers: what comparing needs, without LibTorch. */
export interface IdentityValues extends Omit<Identity, "tokens"> {
  /** ℓ, row by row. */
  values: Float32Array;
  /** `[L, C]` */
  shape: readonly number[];
}

/**
 * Reads an identity file without LibTorch.
 * @throws when the file is no identity file, damaged, or of a later format
 */
export function readIdentity(file: string): IdentityValues {
  const opened = openSafetensors(file);
  const { format, encoder, encoderHash, photos, created } = opened.metadata;
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
    created: created ?? "",
  };
}

/**
 * Reads an identity file.
 * @throws when the file is no identity file, damaged, or of a later format
 */
export function loadIdentity(file: string): Identity {
  const { values, shape, ...notes } = readIdentity(file);
  const tokens = scope(() => fromTypedArray(values, shape).to({ device: defaultDevice() })).keep();
  return { tokens, ...notes };
}

/** Whether an encoder understands an identity. @throws when another one made it: its tokens mean nothing to this one */
export function checkEncoder(name: string, identity: Pick<Identity, "encoder">, hash: string): void {
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
