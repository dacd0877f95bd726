import { fileURLToPath } from "node:url";
import { loadSafetensors, type Tensor } from "@omni-id/torch";

export interface Golden {
  /** The tensors below a prefix, by the rest of their keys. */
  part(prefix: string): Map<string, Tensor>;
  /** One tensor. @throws when the fixture lacks it */
  get(key: string): Tensor;
}

/** A file of `test/fixtures`. */
export function golden(name: string): Golden {
  const { tensors } = loadSafetensors(fileURLToPath(new URL(`fixtures/${name}.safetensors`, import.meta.url)));
  return {
    part: (prefix) =>
      new Map([...tensors].filter(([key]) => key.startsWith(prefix)).map(([key, t]) => [key.slice(prefix.length), t])),
    get(key) {
      const tensor = tensors.get(key);
      if (!tensor) throw new Error(`the fixture ${name} lacks ${key}`);
      return tensor;
    },
  };
}

const largest = (t: Tensor) => t.abs().flatten().amax([0]).item();

/** Largest difference over the largest reference value, where that is not zero. */
export function difference(got: Tensor, wanted: Tensor): number {
  if (got.shape.join() !== wanted.shape.join()) throw new Error(`shape [${got.shape}], expected [${wanted.shape}]`);
  return largest(got.sub(wanted)) / (largest(wanted) || 1);
}
