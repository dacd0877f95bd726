import { fromTypedArray } from "../factories.ts";
import * as F from "../functional.ts";
import type { Tensor } from "../tensor.ts";
import { axisOf, type NodeContext } from "./node-context.ts";

interface Sampling {
  mode: "nearest" | "linear" | "cubic";
  /** Where an output's centre lies in the input. */
  coordinates: string;
  /** How a place between two inputs becomes one of them. */
  rounding: string;
  cubic: number;
  excludeOutside: boolean;
}

/** One axis: `outputs` places sampled from `inputs`, which are `scale` times as far apart. */
interface Axis {
  axis: number;
  inputs: number;
  outputs: number;
  scale: number;
}

const ROUNDINGS: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** In float32 step by step, as onnxruntime: whether 1.5 / 0.6 lies above or below 2.5 decides which pixel is nearest. */
function placeInInput(coordinates: string, at: number, { inputs, outputs, scale }: Axis): number {
  const f = Math.fround;
  const halfPixel = f(f((at + 0.5) / f(scale)) - 0.5);
  switch (coordinates) {
    case "half_pixel":
      return halfPixel;
    case "pytorch_half_pixel":
      return outputs > 1 ? halfPixel : 0;
    case "half_pixel_symmetric": {
      const share = f(outputs / f(f(scale) * inputs));
      const offset = f((inputs / 2) * f(1 - share));
      return f(f(offset + f((at + 0.5) / f(scale))) - 0.5);
    }
    case "align_corners":
      return outputs > 1 ? f(f(at * (inputs - 1)) / (outputs - 1)) : 0;
    case "asymmetric":
      return f(at / f(scale));
    case "tf_half_pixel_for_nn":
      return f((at + 0.5) / f(scale));
    default:
      throw new Error(`coordinate_transformation_mode ${coordinates} is not supported`);
  }
}

/** Weights of the inputs `floor(x) − 1 … floor(x) + 2` at distance `t` after `floor(x)`. */
function cubicWeights(t: number, a: number): number[] {
  const near = (d: number) => ((a + 2) * d - (a + 3)) * d * d + 1;
  const far = (d: number) => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return [far(1 + t), near(t), near(1 - t), far(2 - t)];
}

/** A resize along one axis is linear: its matrix `[outputs, inputs]`. */
function resizeMatrix(axis: Axis, { mode, coordinates, cubic, excludeOutside }: Sampling): Float64Array {
  const { inputs, outputs } = axis;
  const matrix = new Float64Array(outputs * inputs);
  for (let i = 0; i < outputs; i++) {
    const x = placeInInput(coordinates, i, axis);
    const low = Math.floor(x);
    const t = x - low;
    const first = mode === "linear" ? low : low - 1;
    const taps = (mode === "linear" ? [1 - t, t] : cubicWeights(t, cubic)).map((weight, k) => ({
      at: first + k,
      weight,
    }));
    const inside = excludeOutside ? taps.filter(({ at }) => at >= 0 && at < inputs) : taps;
    const total = inside.reduce((sum, { weight }) => sum + weight, 0);
    for (const { at, weight } of inside) {
      matrix[i * inputs + Math.max(0, Math.min(inputs - 1, at))] += excludeOutside ? weight / total : weight;
    }
  }
  return matrix;
}

function resizeAxis(x: Tensor, axis: Axis, sampling: Sampling): Tensor {
  const { inputs, outputs } = axis;
  if (sampling.mode === "nearest") {
    const round = ROUNDINGS[sampling.rounding];
    const places = BigInt64Array.from({ length: outputs }, (_, i) => {
      const place = round(placeInInput(sampling.coordinates, i, axis));
      return BigInt(Math.max(0, Math.min(inputs - 1, place)));
    });
    return x.indexSelect(axis.axis, fromTypedArray(places, [outputs], { device: x.device }));
  }
  const matrix = fromTypedArray(resizeMatrix(axis, sampling), [outputs, inputs]).to({
    dtype: x.dtype,
    device: x.device,
  });
  return x.transpose(axis.axis, -1).matmul(matrix.t()).transpose(axis.axis, -1);
}

/** What ATen's own operators do, and faster: images made larger by whole factors, or resized bilinearly. */
function resizeByATen(x: Tensor, axes: readonly Axis[], { mode, coordinates, rounding }: Sampling): Tensor | undefined {
  if (x.ndim !== 4 || axes.length !== 2 || axes[0].axis !== 2 || axes[1].axis !== 3) return undefined;
  const size: [number, number] = [axes[0].outputs, axes[1].outputs];
  const exact = axes.every(({ inputs, outputs, scale }) => Math.abs(outputs - inputs * scale) < 1e-6);
  if (mode === "linear" && exact && (coordinates === "half_pixel" || coordinates === "align_corners")) {
    return F.interpolate(x, { size, mode: "bilinear", alignCorners: coordinates === "align_corners" });
  }
  const whole = exact && axes.every(({ scale }) => Number.isInteger(scale));
  // With a whole factor no place of half_pixel lies halfway between two: both ways of rounding give ATen's.
  const floors =
    (coordinates === "half_pixel" && rounding.startsWith("round_prefer")) ||
    (coordinates === "asymmetric" && rounding === "floor");
  return mode === "nearest" && whole && floors ? F.interpolate(x, { size, mode: "nearest" }) : undefined;
}

interface Wanted {
  factors?: number[];
  sizes?: number[];
  /** All when absent. */
  axes?: number[];
}

function resizeBy(context: NodeContext, { factors, sizes, axes: some }: Wanted, how: Sampling) {
  const x = context.input(0);
  const given = sizes ?? factors;
  if (!given) throw new Error("neither scales nor sizes are given");
  const places = (some ?? [...x.shape.keys()]).map((axis) => axisOf(axis, x.ndim));
  const axes = places
    .map((axis, i): Axis => {
      const inputs = x.shape[axis];
      // A model exported for one image names that 1 among its sizes.
      const size = axis === 0 && context.batch !== undefined ? inputs : sizes?.[i];
      const scale = size === undefined ? (factors as number[])[i] : size / inputs;
      return { axis, inputs, outputs: size ?? Math.floor(inputs * scale), scale };
    })
    .filter(({ inputs, outputs, scale }) => outputs !== inputs || scale !== 1);
  return resizeByATen(x, axes, how) ?? axes.reduce((y, axis) => resizeAxis(y, axis, how), x);
}

function modeOf(context: NodeContext): Sampling["mode"] {
  const mode = context.text("mode", "nearest");
  if (mode === "nearest" || mode === "linear" || mode === "cubic") return mode;
  throw new Error(`mode ${mode} is not supported`);
}

function nearestMode(context: NodeContext): string {
  const mode = context.text("nearest_mode", "round_prefer_floor");
  if (Object.hasOwn(ROUNDINGS, mode)) return mode;
  throw new Error(`nearest_mode ${mode} is not supported`);
}

export function resize(context: NodeContext): Tensor {
  if (context.flag("antialias")) throw new Error("antialias is not supported");
  if (context.text("keep_aspect_ratio_policy", "stretch") !== "stretch")
    throw new Error("keep_aspect_ratio_policy is not supported");
  const old = context.opset < 11; // then without a choice of coordinates
  const some = (place: number) => {
    const values = context.values(place);
    return values && values.length > 0 ? values : undefined;
  };
  const wanted = { factors: some(old ? 1 : 2), sizes: old ? undefined : some(3), axes: context.list("axes") };
  return resizeBy(context, wanted, {
    mode: modeOf(context),
    coordinates: old ? "asymmetric" : context.text("coordinate_transformation_mode", "half_pixel"),
    rounding: old ? "floor" : nearestMode(context),
    cubic: context.number("cubic_coeff_a", -0.75),
    excludeOutside: context.flag("exclude_outside"),
  });
}

/** The forerunner of Resize. */
export function upsample(context: NodeContext): Tensor {
  const factors = context.listOrInput("scales", 1);
  const how = {
    mode: modeOf(context),
    coordinates: "asymmetric",
    rounding: "floor",
    cubic: -0.75,
    excludeOutside: false,
  };
  return resizeBy(context, { factors }, how);
}
