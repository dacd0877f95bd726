/** A tensor of a file, as a quantisation is told by: its name and the format's dtype. */
export interface Named {
  name: string;
  code: string;
}

/** What quantisers leave beside their weights, by what they are called. */
const MARKS: readonly (readonly [sign: RegExp, what: string])[] = [
  [/\.quant_state\.bitsandbytes__fp4$/, "4 bits (bitsandbytes FP4)"],
  [/\.quant_state\.bitsandbytes__|\.weight\.(absmax|quant_map|nested_absmax)$/, "4 bits (bitsandbytes NF4)"],
  [/\.(SCB|weight\.SCB)$/, "8-bit integers (bitsandbytes)"],
  [/\.(wscales|wcscales|smooth_factor)$/, "4 bits (SVDQuant of Nunchaku)"],
  [/\.weight_scale_2$/, "4 bits (NVFP4)"],
  [/\.(qweight|qzeros)$/, "integers (GPTQ or AWQ)"],
  [/\.weight\._(data|scale|shift)$/, "integers (Quanto)"],
  [/\.weight_packed$/, "packed integers (compressed-tensors)"],
];

const CODES: Readonly<Record<string, string>> = {
  I8: "8-bit integers",
  I16: "integers",
  I32: "integers",
  U8: "4 bits or 8-bit integers, packed",
  F4: "4 bits (FP4)",
  F6_E2M3: "6 bits",
  F6_E3M2: "6 bits",
  F8_E8M0: "powers of two",
  F8_E4M3FNUZ: "8-bit floats of AMD's kind",
  F8_E5M2FNUZ: "8-bit floats of AMD's kind",
};

/** To what the weights among some tensors are quantised, where that is a way which is not read; 8-bit floats are. */
export function quantisationOf(tensors: readonly Named[]): string | undefined {
  const mark = MARKS.find(([sign]) => tensors.some(({ name }) => sign.test(name)));
  if (mark) return mark[1];
  const coded = tensors.find(({ name, code }) => name.endsWith(".weight") && Object.hasOwn(CODES, code));
  return coded && CODES[coded.code];
}

/** What a user does about a file whose weights cannot be read. */
export const TAKE_WIDER = "take the same model as bfloat16, float16 or float8 .safetensors";

const SCALES = ["weight_scale", "scale_weight", "weight_scale_inv"] as const;
/** Beside a weight: its scale, that of its input (of use to 8-bit products alone), and marks for the tool that wrote it. */
const BESIDE_WEIGHT = new RegExp(`(^|\\.)(${SCALES.join("|")}|input_scale|scale_input|comfy_quant|scaled_fp8)$`);

export const isQuantisationMark = (name: string): boolean => BESIDE_WEIGHT.test(name);

/** Names under which the scale of a weight may stand. */
export function scaleNames(weight: string): string[] {
  return weight.endsWith(".weight") ? SCALES.map((scale) => weight.slice(0, -"weight".length) + scale) : [];
}

/** A tensor beside an 8-bit weight which might be a scale of a kind that we do not know, and must not be left out. */
export function unknownScale(weight: string, names: Iterable<string>): string | undefined {
  const layer = weight.replace(/[^.]+$/, "");
  for (const name of names) {
    const rest = name.slice(layer.length);
    const beside = name.startsWith(layer) && name !== weight;
    if (beside && /scale|absmax|amax|zero_?point/i.test(rest) && !rest.includes(".") && !isQuantisationMark(name)) {
      return name;
    }
  }
  return undefined;
}
