import { encodeSafetensors, halfBits, parseSafetensors } from "@omni-id/torch/plain";
import { type IdentityValues, identityFrom, identityMetadata } from "omni-id";

/** The identity file as bytes in memory: what `saveIdentity` and `readIdentity` do, without a disk and without LibTorch. */

/** The file in 16 bits, as `omni-id encode` writes it. */
export function identityBytes(identity: IdentityValues): Uint8Array {
  const { values, shape } = identity;
  const data = new Uint8Array(halfBits(values).buffer);
  return encodeSafetensors([{ name: "identity", code: "F16", shape, data }], identityMetadata(identity));
}

/**
 * Reads the bytes of an identity file.
 * @param name what messages call it
 * @throws when they are no identity file, damaged, or of a later format
 */
export function parseIdentityBytes(name: string, bytes: Uint8Array): IdentityValues {
  return identityFrom(parseSafetensors(bytes, name), name);
}
