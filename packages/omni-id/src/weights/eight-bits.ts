import { scope, type Tensor } from "@omni-id/torch";

/** Beside a matrix in 8 bits: what its rows are multiplied with, `[rows, 1, …]` float32 (compressed-tensors' name). */
const SCALE = "_scale";
/** Smaller parameters stay as they are: little is won, and they are the ones that matter most. */
const LEAST = 4096;

/** A parameter as 8-bit integers, each row divided by its largest value over 127; undefined where it is no large matrix. */
export function toEightBits(parameter: Tensor): { values: Tensor; scale: Tensor } | undefined {
  if (parameter.ndim < 2 || parameter.numel < LEAST) return undefined;
  return scope(() => {
    const dims = parameter.shape.map((_, dim) => dim).slice(1);
    const scale = parameter.float().abs().amax(dims, { keepdim: true }).div(127).clampMin(1e-12);
    return { values: parameter.float().div(scale).round().to("int8"), scale };
  });
}

/** The tensors of a file as float32 again, where some are in 8 bits. @throws when a matrix' scale is missing */
export function fromEightBits(tensors: Map<string, Tensor>, file: string): Map<string, Tensor> {
  const short = [...tensors].filter(([, { dtype }]) => dtype === "int8");
  if (short.length === 0) return tensors;
  const whole = new Map(tensors);
  for (const [key, values] of short) {
    const scale = tensors.get(key + SCALE);
    if (!scale) throw new Error(`${file}: "${key}" is in 8 bits, and its scale is missing; fetch the file again`);
    whole.delete(key + SCALE);
    whole.set(
      key,
      scope(() => values.float().mul(scale)),
    );
  }
  return whole;
}

export const scaleOf = (key: string): string => key + SCALE;
