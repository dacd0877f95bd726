import { autocast, type DType, noGrad, randn, scope } from "@omni-id/torch";

const SIDE = 1024;
const ROUNDS = 5;

/** GFLOP/s of a 1024³ matrix product. */
export function productRate(dtype: Extract<DType, "float32" | "bfloat16">): number {
  return scope(() =>
    noGrad(() =>
      autocast({ dtype: "bfloat16", enabled: dtype === "bfloat16" }, () => {
        const [a, b] = [randn([SIDE, SIDE]), randn([SIDE, SIDE])];
        a.matmul(b);
        const began = performance.now();
        for (let i = 0; i < ROUNDS; i++) a.matmul(b);
        return (ROUNDS * 2 * SIDE ** 3) / 1e6 / (performance.now() - began);
      }),
    ),
  );
}
