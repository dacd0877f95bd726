import { Command, Option } from "@commander-js/extra-typings";
import { checkParity, LIMIT, type ParityResult } from "../parity/parity.ts";
import { useDevice } from "./device.ts";

export function parityCommand() {
  return new Command("parity")
    .description("compares our models with vectors that reference implementations computed")
    .argument(
      "<file>",
      "golden vectors: a .safetensors file of weights, inputs and outputs, or FLUX.2's sampling as JSON",
    )
    .option("--device <name>", "where the models compute, such as cuda", "cpu")
    .addOption(
      new Option("--precision <name>", "bfloat16: as in training; told, not judged")
        .choices(["float32", "bfloat16"] as const)
        .default("float32" as const),
    )
    .action((file, { device, precision }) => {
      useDevice(device);
      const report = ({ name, difference, pass, told }: ParityResult) => {
        process.stdout.write(`${pass ? (told ? "NOTE" : "PASS") : "FAIL"} ${name} ${scientific(difference)}\n`);
      };
      const results = checkParity(file, report, { precision });
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
