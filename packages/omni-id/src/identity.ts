import { defaultDevice, fromTypedArray, openSafetensors, saveSafetensors, scope, type Tensor } from "@omni-id/torch";
import { type IdentityNotes, type IdentityValues, identityFrom, identityMetadata } from "./identity-values.ts";

/** One person, as the encoder that made it sees them. */
export interface Identity extends IdentityNotes {
  /** ℓ, `[L, C]` float32. */
  tokens: Tensor;
}

/** Writes the file a user keeps: tensor `identity` [L, C] and metadata. Atomic. */
export function saveIdentity(
  file: string,
  identity: Identity,
  { dtype = "float16" }: { dtype?: "float16" | "float32" } = {},
): void {
  saveSafetensors(file, { identity: identity.tokens.to(dtype) }, { metadata: identityMetadata(identity) });
}

/**
 * Reads an identity file without LibTorch.
 * @throws when the file is no identity file, damaged, or of a later format
 */
export function readIdentity(file: string): IdentityValues {
  return identityFrom(openSafetensors(file), file);
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
