import { setDefaultDevice, version } from "@omni-id/torch";

/** Makes all tensors that follow on the chosen device. @throws when this LibTorch cannot use it */
export function useDevice(device: string): void {
  if (device.startsWith("cuda") && !version().cuda) {
    throw new Error(
      `--device ${device}: LibTorch ${version().libtorch} finds no CUDA here; leave the option out, or set LIBTORCH to a build with CUDA and run the set-up again`,
    );
  }
  setDefaultDevice(device);
}
