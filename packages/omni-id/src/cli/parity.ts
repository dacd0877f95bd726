import { Command } from "@commander-js/extra-typings";
import { checkParity, LIMIT } from "../parity/parity.ts";

export function parityCommand() {
  return new Command("parity")
    .description("compares our models with vectors that reference implementations computed")
    .argument(
      "<file>",
      "golden vectors: a .safetensors file of weights, inputs and outputs, or FLUX.2's sampling as JSON",
    )
    .action((file) => {
      const results = checkParity(file, ({ name, difference, pass, told }) => {
        process.stdout.write(`${pass ? (told ? "NOTE" : "PASS") : "FAIL"} ${name} ${scientific(difference)}\n`);
      });
      const failed = results.filter(({ pass }) => !pass).length;
      if (failed > 0) throw new Error(`${file}: ${failed} of ${results.length} outputs differ by more than ${LIMIT}`);
    });
}

/** 3.1e-06 */
function scientific(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const [digits, exponent] = value.toExponential(1).split("e");
  return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}
