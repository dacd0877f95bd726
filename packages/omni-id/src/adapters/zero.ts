import { type nn, noGrad } from "@omni-id/torch";

/** Sets all parameters of a layer to zero: what it answers is nothing, until it is trained. */
export function zeroed<T extends nn.Module>(layer: T): T {
  noGrad(() => {
    for (const tensor of layer.parameters()) tensor.zero_();
  });
  return layer;
}
