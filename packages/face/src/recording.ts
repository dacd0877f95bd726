import type { RgbImage } from "./picture-types.ts";

/** How well the pixels of a face were recorded, each 0…1. */
export interface RecordingParts {
  /** Detail beyond what noise alone would make. */
  detail: number;
  clean: number;
  exposure: number;
}

/** The side at which detail is measured, pixels: a smaller face that was enlarged to it lacks detail, as it should. */
export const RECORDING_SIDE = 224;

// Chosen on rendered faces with blur, motion, noise, compression, occlusion and darkness of four strengths each, by how
// often the score orders two strengths rightly; `omni-id data evaluate` measures that again.
/** Length of a feature that counts half. */
const HALF_SEEN = 5;
/** Root mean square of the Laplacian over the contrast, of a face that is quite sharp. */
const SHARP = 1.2;
/** Deviation of the noise that halves the score, in 8-bit steps. */
const NOISY = 7;
/** Masks reach two pixels: where a face was enlarged to the side, noise of neighbours is alike and would hide. */
const REACH = 2;
/** The noise is the median over every so many pixels, each way. */
const SPARSE = 3;

/** @param square the square face box, {@link RECORDING_SIDE} pixels wide */
export function recordingParts(square: RgbImage): RecordingParts {
  const { mean, contrast, laplacian, noise } = measure(square);
  // White noise of deviation σ gives the Laplacian a variance of 20 σ².
  const signal = Math.sqrt(Math.max(0, laplacian - 20 * noise * noise));
  return {
    detail: Math.min(1, signal / Math.max(contrast, 8) / SHARP),
    clean: 1 / (1 + (noise / NOISY) ** 2),
    exposure: Math.min(1, contrast / 25) * Math.min(1, Math.min(mean, 255 - mean) / 50),
  };
}

/**
 * How well a face was recorded, whatever it does, as one figure of 0…1. Unlike `qualityScore` this sees noise,
 * compression and what hides the face, and asks neither for a pose nor for a size.
 * @param strength how much of a face the recogniser saw (`FaceAnalyser.describe`)
 */
export function recordingScore({ detail, clean, exposure }: RecordingParts, strength: number): number {
  const seen = strength ** 2 / (strength ** 2 + HALF_SEEN ** 2);
  return seen * Math.sqrt(detail * exposure) * clean;
}

interface Measured {
  mean: number;
  /** Deviation of the grey values. */
  contrast: number;
  /** Mean square of the Laplacian. */
  laplacian: number;
  /** Deviation of the noise: the mask of Immerkær (1996) answers to noise and hardly to edges; the median ignores them. */
  noise: number;
}

function measure({ width, height, data }: RgbImage): Measured {
  const grey = new Float32Array(width * height);
  let [sum, squares] = [0, 0];
  for (let i = 0; i < grey.length; i++) {
    const value = 0.299 * data[3 * i] + 0.587 * data[3 * i + 1] + 0.114 * data[3 * i + 2];
    grey[i] = value;
    sum += value;
    squares += value * value;
  }
  const down = REACH * width;
  let laplacian = 0;
  const answers: number[] = [];
  for (let y = REACH; y < height - REACH; y++) {
    for (let x = REACH; x < width - REACH; x++) {
      const i = y * width + x;
      const cross = grey[i - REACH] + grey[i + REACH] + grey[i - down] + grey[i + down];
      laplacian += (4 * grey[i] - cross) ** 2;
      if (x % SPARSE > 0 || y % SPARSE > 0) continue;
      const corners = grey[i - down - REACH] + grey[i - down + REACH] + grey[i + down - REACH] + grey[i + down + REACH];
      answers.push(Math.abs(4 * grey[i] - 2 * cross + corners));
    }
  }
  const median = Float32Array.from(answers).sort()[answers.length >> 1] ?? 0;
  const mean = sum / grey.length;
  return {
    mean,
    contrast: Math.sqrt(Math.max(0, squares / grey.length - mean * mean)),
    laplacian: laplacian / Math.max(1, (width - 2 * REACH) * (height - 2 * REACH)),
    noise: median / 0.6745 / 6, // the mask multiplies a deviation by six
  };
}
