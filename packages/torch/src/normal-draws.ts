/**
 * The numbers that LibTorch's generator of the CPU draws from a seed, without LibTorch: Mersenne Twister
 * (Matsumoto and Nishimura, 1998) and the way of `aten::randn` from it (ATen/native/cpu/DistributionTemplates.h).
 */

const STATE = 624;
const SHIFT = 397;
/** Numbers are made sixteen at a time: the first eight uniform ones give radii, the others angles. */
const BLOCK = 16;

/** MT19937: 32 random bits at a time, those of `at::mt19937`. */
export class MersenneTwister {
  readonly #state = new Uint32Array(STATE);
  #place = STATE;

  /** @param seed of which the low 32 bits count */
  constructor(seed: number) {
    const state = this.#state;
    state[0] = seed;
    for (let i = 1; i < STATE; i++) state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  }

  next(): number {
    if (this.#place === STATE) this.#twist();
    let y = this.#state[this.#place++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** Uniform in [0, 1), 24 bits: what `aten::rand` gives in float32. */
  uniform(): number {
    return (this.next() & 0xffffff) * 2 ** -24;
  }

  #twist(): void {
    const state = this.#state;
    for (let i = 0; i < STATE; i++) {
      const mixed = (state[i] & 0x80000000) | (state[(i + 1) % STATE] & 0x7fffffff);
      state[i] = state[(i + SHIFT) % STATE] ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
    }
    this.#place = 0;
  }
}

/**
 * Standard normal numbers, those of `aten::randn` for a fresh generator of this seed: float32, `count` of 16 or more.
 * LibTorch has two ways for the logarithm and the angles; this is the one of processors with AVX2, with products and sums
 * joined as Debian's compiler joins them: there it is the same bits. Elsewhere the last digit may differ.
 * @throws below 16 numbers, which LibTorch draws in another way
 */
export function normalDraws(seed: number, count: number): Float32Array {
  if (!Number.isInteger(count) || count < BLOCK) {
    throw new RangeError(`${count} normal numbers: 16 or more can be drawn as LibTorch draws them`);
  }
  const twister = new MersenneTwister(seed);
  const draws = Float32Array.from({ length: count }, () => twister.uniform());
  for (let i = 0; i + BLOCK <= count; i += BLOCK) boxMuller(draws.subarray(i, i + BLOCK));
  if (count % BLOCK !== 0) {
    // The last sixteen are drawn anew, though some were there already.
    const last = draws.subarray(count - BLOCK);
    for (let i = 0; i < BLOCK; i++) last[i] = twister.uniform();
    boxMuller(last);
  }
  return draws;
}

const f = Math.fround;
const TWO_PI = f(2 * Math.PI);

function boxMuller(block: Float32Array): void {
  for (let i = 0; i < BLOCK / 2; i++) {
    const radius = f(Math.sqrt(f(-2 * logarithm(f(1 - block[i])))));
    const [sin, cos] = sineCosine(f(TWO_PI * block[i + BLOCK / 2]));
    block[i] = f(radius * cos);
    block[i + BLOCK / 2] = f(radius * sin);
  }
}

/** a · b + c, rounded once. */
const fma = (a: number, b: number, c: number): number => f(a * b + c);
/** A polynomial in x, its highest power first. */
const polynomial = (x: number, coefficients: Float32Array): number =>
  coefficients.reduce((sum, coefficient) => fma(sum, x, coefficient));

const LOG = Float32Array.from([
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
  2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
]);
const SIN = Float32Array.from([-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]);
const COS = Float32Array.from([2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2]);
/** −π/4 in three parts, so that no digit is lost. */
const QUARTER = [-0.78515625, -0.00024187564849853516, -3.774894977445941e-8].map(f);

const bits = new DataView(new ArrayBuffer(4));

/** The natural logarithm of a number in (0, 1], as Cephes computes it in float32 (avx_mathfun.h). */
function logarithm(value: number): number {
  bits.setFloat32(0, value);
  const whole = bits.getUint32(0);
  let exponent = (whole >>> 23) - 126;
  bits.setUint32(0, (whole & 0x007fffff) | 0x3f000000);
  const mantissa = bits.getFloat32(0); // 0.5 … 1
  let x = f(mantissa - 1);
  if (mantissa < f(Math.SQRT1_2)) {
    exponent -= 1;
    x = f(x + mantissa);
  }
  const z = f(x * x);
  const tail = fma(f(polynomial(x, LOG) * x), z, f(exponent * f(-2.1219444e-4)));
  const y = fma(-0.5, z, tail);
  return fma(exponent, 0.693359375, f(x + y));
}

/** Sine and cosine of an angle of 0 or more, as Cephes computes them in float32 (avx_mathfun.h). */
function sineCosine(angle: number): [sin: number, cos: number] {
  const octant = (Math.trunc(f(angle * f(4 / Math.PI))) + 1) & ~1;
  const x = QUARTER.reduce((left, part) => fma(octant, part, left), angle);
  const z = f(x * x);
  const cos = f(fma(f(polynomial(z, COS) * z), z, -0.5 * z) + 1);
  const sin = fma(f(polynomial(z, SIN) * z), x, x);
  const turned = (octant & 2) !== 0;
  const [s, c] = turned ? [cos, sin] : [sin, cos];
  return [octant & 4 ? -s : s, ((octant - 2) & 4) === 0 ? -c : c];
}
