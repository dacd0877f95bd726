import { createHash } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { loadSafetensors, type nn, saveSafetensors, scope, type Tensor, version } from "@omni-id/torch";

/**
 * Pictures that an evaluation has drawn, in files named by a hash of all that they depend on: one that was interrupted
 * draws only what is missing. The processor and LibTorch count too, for they decide the last digits.
 */
export class DrawnPictures {
  readonly #folder: string | undefined;
  readonly #common: string;

  /** @param folder where they lie; nothing is kept when absent @param modules what draws them */
  constructor(folder: string | undefined, modules: readonly nn.Module[]) {
    this.#folder = folder;
    const machine = [cpus()[0]?.model, version().libtorch];
    this.#common =
      folder === undefined
        ? ""
        : hashOf(
            [machine],
            modules.flatMap((module) => [...module.stateDict().values()]),
          );
  }

  /**
   * The pictures of a key, drawn where they are not there yet.
   * @param values numbers and texts that they depend on @param tensors tensors that they depend on
   */
  kept(values: readonly unknown[], tensors: readonly Tensor[], draw: () => Tensor): Tensor {
    if (this.#folder === undefined) return draw();
    const file = join(this.#folder, `${hashOf([this.#common, ...values], tensors)}.safetensors`);
    if (existsSync(file)) {
      const { tensors } = loadSafetensors(file);
      const pictures = tensors.get("pictures");
      if (pictures) return scope(() => pictures.clone());
    }
    const pictures = draw();
    mkdirSync(this.#folder, { recursive: true });
    saveSafetensors(file, { pictures: scope(() => pictures.contiguous()) });
    return pictures;
  }
}

function hashOf(values: readonly unknown[], tensors: readonly Tensor[]): string {
  const hash = createHash("sha256").update(JSON.stringify(values));
  for (const tensor of tensors) {
    hash.update(`${tensor.dtype}[${tensor.shape}]`);
    const { buffer, byteOffset, byteLength } = scope(() => tensor.to("cpu").contiguous().toTypedArray());
    hash.update(new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength));
  }
  return hash.digest("hex").slice(0, 32);
}
