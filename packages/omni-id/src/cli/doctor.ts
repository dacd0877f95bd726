import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { assetsStatus } from "@omni-id/face";
import { autocast, type DType, getNumThreads, noGrad, preferredPrecision, randn, scope, version } from "@omni-id/torch";
import { DECODER_FILE, ENCODER_FILE, shippedWeights } from "../weights.ts";
import { print } from "./output.ts";

interface Finding {
  what: string;
  ok: boolean;
  told: string;
  /** The command that mends it. */
  fix?: string;
}

/** Under this rate a 1024³ product shows that no fast BLAS is in place: the reference one does about 4. */
const SLOW_GFLOPS = 20;

export function doctorCommand() {
  return new Command("doctor")
    .description("what this machine has, what is missing, and the command that mends it")
    .option("--json", "print the findings as JSON")
    .action((options) => {
      const findings = examine();
      const lines = findings.map(({ what, ok, told, fix }) => {
        const mend = ok || !fix ? "" : `\n      mend it with: ${fix}`;
        return `${ok ? "ok   " : "MISS "} ${what}: ${told}${mend}`;
      });
      print(findings, { json: options.json, text: lines.join("\n") });
      if (findings.some(({ ok }) => !ok)) throw new Error("something is missing; see above");
    });
}

function examine(): Finding[] {
  const [major, minor] = process.versions.node.split(".").map(Number);
  const { libtorch, cuda } = version();
  const float32 = productRate("float32");
  const findings: Finding[] = [
    {
      what: "Node",
      ok: major > 20 || (major === 20 && minor >= 9),
      told: process.version,
      fix: "install Node 20.9 or later",
    },
    { what: "LibTorch", ok: true, told: `${libtorch}, ${getNumThreads()} threads${cuda ? ", built with CUDA" : ""}` },
    {
      what: "matrix products, float32",
      ok: float32 > SLOW_GFLOPS,
      told: `${float32.toFixed(0)} GFLOP/s${float32 > SLOW_GFLOPS ? "" : ": no fast BLAS"}`,
      fix: "sudo apt-get install -y libopenblas0",
    },
  ];
  const precision = preferredPrecision();
  const told = precision === "bfloat16" ? `${productRate("bfloat16").toFixed(0)} GFLOP/s` : "not in this processor";
  findings.push({ what: "matrix products, bfloat16", ok: true, told: `${told}; training uses ${precision}` });
  for (const { name, version: number, present, path } of assetsStatus()) {
    const told = present ? path : "not fetched";
    findings.push({ what: `models: ${name}@${number}`, ok: present, told, fix: "npx omni-id models --fetch" });
  }
  const folder = shippedWeights();
  for (const file of [ENCODER_FILE, DECODER_FILE]) {
    const path = join(folder, file);
    const ok = existsSync(path) && readFileSync(path).length > 0;
    findings.push({ what: `weights: ${file}`, ok, told: ok ? path : "missing", fix: "git checkout weights/nano" });
  }
  return findings;
}

/** GFLOP/s of a 1024³ product. */
function productRate(dtype: Extract<DType, "float32" | "bfloat16">): number {
  return scope(() =>
    noGrad(() =>
      autocast({ dtype: "bfloat16", enabled: dtype === "bfloat16" }, () => {
        const [a, b] = [randn([1024, 1024]), randn([1024, 1024])];
        a.matmul(b);
        const began = performance.now();
        const rounds = 5;
        for (let i = 0; i < rounds; i++) a.matmul(b);
        return (rounds * 2 * 1024 ** 3) / 1e6 / (performance.now() - began);
      }),
    ),
  );
}
