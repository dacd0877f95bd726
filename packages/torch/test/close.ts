import type { Tensor } from "@omni-id/torch";
import { expect } from "vitest";

/** Every element within `atol + rtol·|expected|`; says where the worst one is. */
export function expectClose(
  actual: Tensor | ArrayLike<number>,
  expected: Tensor | ArrayLike<number>,
  { atol = 1e-6, rtol = 1e-5 } = {},
): void {
  const numbers = (v: Tensor | ArrayLike<number>) =>
    Array.from("toTypedArray" in v ? (v.toTypedArray() as ArrayLike<number | bigint>) : v, Number);
  const [a, b] = [numbers(actual), numbers(expected)];
  expect(a.length, "number of elements").toBe(b.length);
  let worst = 0;
  let where = -1;
  for (let i = 0; i < a.length; i++) {
    const excess = Object.is(a[i], b[i]) || a[i] === b[i] ? 0 : Math.abs(a[i] - b[i]) / (atol + rtol * Math.abs(b[i]));
    if (!(excess <= worst)) {
      worst = excess;
      where = i;
    }
  }
  if (!(worst <= 1))
    expect.fail(`element ${where}: ${a[where]}, expected ${b[where]} (${worst.toPrecision(3)} × the tolerance)`);
}
