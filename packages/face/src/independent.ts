import { readFileSync } from "node:fs";
import { F, fromTypedArray, nn, noGrad, scope, type Tensor, tensor } from "@omni-id/torch";
import { assetPath } from "./assets.ts";
import { independentModel } from "./model-entries.ts";
import { modelFile } from "./models.ts";

interface WeightEntry {
  name: string;
  shape: number[];
  quantization?: { scale: number; min: number };
}

const MEAN = [122.782, 117.001, 104.298];

/** Convolution with its scale folded in: kernels `[out, in, 3, 3]`. */
class ScaledConv extends nn.Module {
  readonly weight: Tensor;
  readonly bias: Tensor;

  constructor(weights: ReadonlyMap<string, Tensor>, name: string) {
    super();
    const get = (part: string) => take(weights, `${name}/${part}`);
    const [scale, shift] = [get("scale/weights"), get("scale/biases")];
    this.weight = scope(() =>
      nn.buffer(
        get("conv/filters")
          .permute([3, 2, 0, 1])
          .mul(scale.view([-1, 1, 1, 1]))
          .contiguous(),
      ),
    );
    this.bias = scope(() => nn.buffer(get("conv/bias").mul(scale).add(shift)));
  }

  forward(x: Tensor, { stride = 1, padding = 1 } = {}): Tensor {
    return F.conv2d(x, this.weight, this.bias, { stride, padding });
  }
}

/** Two convolutions and a residual; a `down` block halves the size and may widen the channels with zeros. */
class ResidualBlock extends nn.Module {
  readonly conv1: ScaledConv;
  readonly conv2: ScaledConv;
  readonly down: boolean;

  constructor(weights: ReadonlyMap<string, Tensor>, name: string) {
    super();
    this.conv1 = new ScaledConv(weights, `${name}/conv1`);
    this.conv2 = new ScaledConv(weights, `${name}/conv2`);
    this.down = name.includes("_down");
  }

  forward(x: Tensor): Tensor {
    return scope(() => {
      if (!this.down) return this.conv2.forward(this.conv1.forward(x).relu()).add(x).relu();
      let made = this.conv2.forward(this.conv1.forward(x, { stride: 2, padding: 0 }).relu());
      let kept = F.avgPool2d(x, 2, { stride: 2 });
      if (kept.shape[2] !== made.shape[2]) made = F.pad(made, [0, 1, 0, 1]);
      const missing = made.shape[1] - kept.shape[1];
      if (missing > 0) kept = F.pad(kept, [0, 0, 0, 0, 0, missing]);
      return made.add(kept).relu();
    });
  }
}

const BLOCKS = [
  ...["conv32_1", "conv32_2", "conv32_3"],
  ...["conv64_down", "conv64_1", "conv64_2", "conv64_3"],
  ...["conv128_down", "conv128_1", "conv128_2"],
  ...["conv256_down", "conv256_1", "conv256_2", "conv256_down_out"],
];
/** Blocks up to the end of the third stage. */
const INNER = BLOCKS.indexOf("conv128_2") + 1;

/**
 * dlib's face recogniser (128 numbers a face, compared by euclidean distance), from the weights that face-api ships.
 * It judges what was generated; nothing is trained through it.
 */
export class IndependentRecogniser extends nn.Module {
  readonly conv32_down: ScaledConv;
  readonly blocks: ResidualBlock[];
  readonly fc: Tensor;
  readonly mean: Tensor;

  private constructor(weights: ReadonlyMap<string, Tensor>) {
    super();
    this.conv32_down = new ScaledConv(weights, "conv32_down");
    this.blocks = BLOCKS.map((name) => new ResidualBlock(weights, name));
    this.fc = nn.buffer(take(weights, "fc"));
    this.mean = scope(() => nn.buffer(tensor(MEAN).view([3, 1, 1])));
  }

  /** @throws when the weights are missing or damaged */
  static load(): IndependentRecogniser {
    return scope(() => new IndependentRecogniser(readWeights()));
  }

  /** Chips `[B, 3, 150, 150]` in [−1, 1] (see `dlibCrop`) to features `[B, 128]`, float32. */
  embed(chips: Tensor): Tensor {
    return scope(() => this.#pooled(chips, BLOCKS.length).matmul(this.fc));
  }

  /** Means over the picture of the third stage's channels, `[B, 3, 150, 150]` in [−1, 1] → `[B, 128]`, float32. */
  inner(pictures: Tensor): Tensor {
    return scope(() => this.#pooled(pictures, INNER));
  }

  /** @param blocks how many of them are asked */
  #pooled(chips: Tensor, blocks: number): Tensor {
    const x = chips.add(1).mul(127.5).sub(this.mean).div(255);
    let y = F.maxPool2d(this.conv32_down.forward(x, { stride: 2, padding: 0 }).relu(), 3, { stride: 2 });
    for (const block of this.blocks.slice(0, blocks)) y = block.forward(y);
    return y.float().mean([2, 3]);
  }
}

function take(weights: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const found = weights.get(name);
  if (!found) throw new Error(`${independentModel.name}: its manifest lacks "${name}"`);
  return found;
}

/** The tfjs manifest format: one file of bytes, each tensor float32 or a byte times a scale plus a minimum. */
function readWeights(): Map<string, Tensor> {
  const manifest = assetPath(independentModel.package, "model/face_recognition_model-weights_manifest.json");
  const groups = JSON.parse(readFileSync(manifest, "utf8")) as { weights: WeightEntry[] }[];
  const bytes = readFileSync(modelFile(independentModel));
  const weights = new Map<string, Tensor>();
  let at = 0;
  for (const { name, shape, quantization } of groups.flatMap((group) => group.weights)) {
    const count = shape.reduce((product, size) => product * size, 1);
    const size = quantization ? count : 4 * count;
    if (at + size > bytes.length) throw new Error(`${independentModel.file}: cut off at "${name}"`);
    const part = Uint8Array.from(bytes.subarray(at, at + size));
    const values = quantization
      ? Float32Array.from(part, (value) => value * quantization.scale + quantization.min)
      : new Float32Array(part.buffer);
    weights.set(
      name,
      noGrad(() => fromTypedArray(values, shape)),
    );
    at += size;
  }
  return weights;
}
