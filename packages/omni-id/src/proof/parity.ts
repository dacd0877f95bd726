import { readdirSync } from "node:fs";
import { join } from "node:path";
import { onDevice } from "@omni-id/torch";
import { checkParity, LIMIT } from "../parity/parity.ts";
import type { Finding, ProofContext } from "./part.ts";

/** The models against their golden vectors, in float32 (judged) and in bfloat16 (told). */
export function* parity({ device, golden }: ProofContext): Iterable<Finding> {
  const files = readdirSync(golden).filter((name) => name.endsWith(".safetensors"));
  for (const name of files.sort()) {
    for (const precision of ["float32", "bfloat16"] as const) {
      const results = onDevice(device, () => checkParity(join(golden, name), undefined, { precision }));
      for (const { name: output, difference, told } of results)
        yield { name: `${output} (${name}, ${precision})`, value: difference, limit: told ? undefined : LIMIT };
    }
  }
}
