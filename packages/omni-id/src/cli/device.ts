import { Option } from "@commander-js/extra-typings";
import { setDefaultDevice, version } from "@omni-id/torch";
import { InvalidArgumentError } from "commander";

/** `--device`: where the tensors of a command live. CUDA is chosen by this option alone, never assumed. */
export function deviceOption() {
  return new Option("--device <name>", "cpu or cuda").default("cpu").argParser(parseDevice);
}

/** Makes all that follows on the chosen device. @throws when this LibTorch cannot use it */
export function useDevice(device: string): void {
  if (device.startsWith("cuda") && !version().cuda) {
    throw new Error(
      `--device ${device}: LibTorch ${version().libtorch} finds no CUDA here; leave --device out, or point LIBTORCH to a build with CUDA and run setup again`,
    );
  }
  setDefaultDevice(device);
}

function parseDevice(name: string): string {
  if (/^(cpu|cuda(:\d+)?)$/.test(name)) return name;
  throw new InvalidArgumentError("Choose cpu, cuda, or one of several cards, such as cuda:1.");
}
