/**
 * Sampling of rectified flow as pure functions of numbers and of anything that can be added and scaled: tensors, and plain
 * arrays in a browser. Time t runs from 1 (noise) to 0 (picture); the model's velocity at x_t = (1 − t) x₀ + t ε is ε − x₀.
 */

/** How far times are moved towards the noise, by the tokens of the picture and the number of steps: μ. */
export type Shift = (tokens: number, steps: number) => number;

/** FLUX.1 (flux/sampling.py): on the line through 0.5 at 256 tokens and 1.15 at 4,096. */
export const fluxShift: Shift = (tokens) => 0.5 + ((tokens - 256) * 0.65) / 3840;

/**
 * FLUX.2 (flux2/sampling.py, compute_empirical_mu): fitted at 10 and at 200 steps, on a line between the two. Above
 * 4,300 tokens the steps no longer count; the jump there is upstream's own.
 */
export const flux2Shift: Shift = (tokens, steps) => {
  const at200 = 0.00016927 * tokens + 0.45666666;
  const at10 = 8.73809524e-5 * tokens + 1.89833333;
  return tokens > 4300 ? at200 : at200 + ((steps - 200) * (at200 - at10)) / 190;
};

export interface ScheduleOptions {
  steps: number;
  /** Tokens of the picture to draw: more of them need more of their steps in the noise. */
  tokens: number;
  /** How times are moved towards the noise; false leaves them as they are (FLUX.1-schnell). FLUX.1-dev's when absent. */
  shift?: Shift | false;
}

/** Times from 1 to 0, `steps + 1` of them: linspace, then t′ = e^μ / (e^μ + 1/t − 1). */
export function schedule({ steps, tokens, shift = fluxShift }: ScheduleOptions): number[] {
  if (!Number.isInteger(steps) || steps < 1) throw new RangeError(`sampling takes 1 or more steps, not ${steps}`);
  const e = shift ? Math.exp(shift(tokens, steps)) : 1;
  return Array.from({ length: steps + 1 }, (_, i) => {
    const t = 1 - i / steps;
    return shift && t > 0 ? e / (e + 1 / t - 1) : t;
  });
}

/** What a step needs of latents; a `Tensor` has it. */
export interface Latents<T> {
  add(other: T): T;
  sub(other: T): T;
  mul(by: number): T;
  lerp(end: T, weight: number): T;
}

/** What the model takes the picture to be, at x and its velocity v. */
export const pictureAt = <T extends Latents<T>>(x: T, v: T, t: number): T => x.sub(v.mul(t));

/** Euler: x += (t′ − t) v. */
export const eulerStep = <T extends Latents<T>>(x: T, v: T, t: number, next: number): T => x.add(v.mul(next - t));

/** Heun: the mean of the velocities at the two ends of Euler's step. */
export const heunStep = <T extends Latents<T>>(x: T, v: T, after: T, t: number, next: number): T =>
  x.add(v.add(after).mul((next - t) / 2));

/**
 * DPM-Solver++(2M) (Lu et al., 2022) for α = 1 − t, σ = t: steps in λ = log(α/σ), with the picture that the model
 * sees extrapolated from this step and the one before. The first and the last step, where λ is infinite, are of first
 * order.
 */
export function dpmStep<T extends Latents<T>>(
  x: T,
  picture: T,
  before: { picture: T; t: number } | undefined,
  t: number,
  next: number,
): T {
  let seen = picture;
  if (before && next > 0 && before.t < 1) {
    const ratio = (lambda(t) - lambda(before.t)) / (lambda(next) - lambda(t));
    seen = picture.lerp(before.picture, -1 / (2 * ratio));
  }
  // σ′/σ x + (α′ − α σ′/σ) D, which at first order is Euler's step written with the picture D.
  const keep = next / t;
  return x.mul(keep).add(seen.mul(1 - next - (1 - t) * keep));
}

const lambda = (t: number) => Math.log((1 - t) / t);

/** Guidance: away from what the model would do without the condition, by `scale`; 1 changes nothing. */
export function guide<T extends Latents<T>>(conditional: T, unconditional: T, scale: number): T {
  return unconditional.lerp(conditional, scale);
}

/** How strongly a scene follows its prompt and the identity: 1 is what the model says by itself. */
export interface SceneGuidance {
  /** Away from the empty, or the negative, prompt. */
  text: number;
  /** Away from the same prompt without the identity. */
  identity: number;
}

/**
 * Two guidances (InstructPix2Pix, Brooks et al. 2023, equation 3, with the text first): v = v(∅, ∅) + s_text (v(text, ∅)
 * − v(∅, ∅)) + s_id (v(text, id) − v(text, ∅)). So the identity is told by what it adds to the scene that the words alone
 * give, and does not pay for the words. Both 1: v(text, id).
 * @param negative v(∅, ∅), or that of a negative prompt: what the text leads away from
 */
export function guideScene<T extends Latents<T>>(
  { negative, text, both }: { negative: T; text: T; both: T },
  scale: SceneGuidance,
): T {
  return guide(text, negative, scale.text).add(both.sub(text).mul(scale.identity));
}

/** The share of the steps, from the noise on, in which the identity is told: `[0, 1]` is all of them. */
export interface IdentitySpan {
  start: number;
  end: number;
}

/**
 * Whether the identity is told at a step, counted from 0: where the whole step lies in the span, as with diffusers'
 * control_guidance_start and _end. The scene may be laid out before the face is.
 * @throws when the span is empty or leaves 0 … 1
 */
export function identityAt(step: number, steps: number, { start, end }: IdentitySpan): boolean {
  if (!(start >= 0 && start < end && end <= 1)) {
    throw new RangeError(
      `the identity is told from ${start} to ${end} of the steps: give a start below an end, in 0 … 1`,
    );
  }
  return step / steps >= start && (step + 1) / steps <= end + 1e-9;
}

/** Solvers by name: Euler and DPM-Solver ask the model once a step, Heun twice. */
export const SOLVER_NAMES = ["euler", "heun", "dpm"] as const;
export type SolverName = (typeof SOLVER_NAMES)[number];
