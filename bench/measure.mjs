// What several benchmarks measure in the same way.
import { autocast, Generator, noGrad, randn, scope } from "@omni-id/torch";

/** Median seconds of `rounds` calls, after one that warms up. */
export function timed(rounds, work) {
  const times = [];
  for (let i = 0; i <= rounds; i++) {
    const began = performance.now();
    scope(work);
    if (i > 0) times.push((performance.now() - began) / 1000);
  }
  return times.sort((a, b) => a - b)[rounds >> 1];
}

/** Operations a second that this machine reaches in one large matrix product at a precision. */
export function productRate(precision, size = 2048) {
  const generator = new Generator(0);
  const [a, b] = [0, 1].map(() => randn([size, size], { generator }).to(precision));
  return (2 * size ** 3) / timed(7, () => noGrad(() => void a.matmul(b)));
}

/** Runs `work` in mixed precision where that is bfloat16. */
export const inPrecision = (precision, work) =>
  autocast({ dtype: "bfloat16", enabled: precision === "bfloat16" }, work);

export const peakMB = () => process.resourceUsage().maxRSS / 1024;
