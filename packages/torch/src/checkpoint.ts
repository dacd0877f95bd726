import { autocast } from "./autocast.ts";
import { isGradEnabled } from "./autograd.ts";
import { handles, wrapList } from "./dispatch.ts";
import { native } from "./native.ts";
import { scope } from "./scope.ts";
import { Tensor } from "./tensor.ts";

/**
 * Runs `fn` on `inputs` without keeping what it computes on the way, and runs it once more when `backward` comes by:
 * memory for the price of a second forward pass. Gradients are those of `fn` itself.
 *
 * `fn` must give the same at both times. What it draws at random it draws again: default generators and those that it
 * uses stand as they stood, and nobody else's numbers change. Everything that carries a gradient, other than parameters,
 * must come through `inputs`. Gradients flow by `backward`, not through `grad`.
 * @throws when `fn` answers anything but a tensor or a list of tensors
 * @example x = checkpoint((x) => block.forward(x), [x]);
 */
export function checkpoint<T extends Tensor | readonly Tensor[]>(
  fn: (...inputs: Tensor[]) => T,
  inputs: readonly Tensor[],
): T {
  if (!isGradEnabled() || inputs.length === 0) return scope(() => fn(...inputs));
  const [device] = inputs[0].device.split(":");
  const [enabled, dtype] = native.autocastState(device);
  let single = false;
  const run = () =>
    scope(() => {
      const result = autocast({ device, dtype, enabled }, () => fn(...wrapList<Tensor>(native.checkpointInputs())));
      single = result instanceof Tensor;
      native.checkpointOutputs(handles(single ? [result as Tensor] : (result as readonly Tensor[])));
    });
  const outputs = wrapList<Tensor>(native.checkpoint(handles(inputs), run));
  return (single ? outputs[0] : outputs) as T;
}
