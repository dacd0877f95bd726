import type { FlowBase } from "../../flow-base.ts";
import type { Preset } from "../../presets/schema.ts";
import { takesPublished } from "../../weights/flow.ts";

/**
 * A flow base that learns along with its adapter, made ready for it: a small one that was trained for minutes has more to
 * learn than whom to draw. Undefined where it stays frozen, the paper's form.
 * @throws for a published flow model, which is never changed
 */
export function learningBase(preset: Preset, base: FlowBase): FlowBase | undefined {
  if (preset.flow.adapter.baseRate === 0) return undefined;
  if (takesPublished(preset)) {
    throw new Error(
      `flow.adapter.baseRate: the flow model of the preset ${preset.name} is a published one, and stays frozen`,
    );
  }
  // Latents stay as they are: pictures would be other tokens with each step.
  base.flux.requiresGrad_(true);
  base.prompts.requiresGrad_(true);
  return base;
}
