import type { LandmarkControl } from "../adapters/landmark-control.ts";
import type { FlowAdapter } from "../flow-decoder.ts";
import type { MaskedDecoder } from "../masked-decoder.ts";
import { type LoadedEncoder, loadFirstStage } from "../weights/first-stage.ts";
import { hasFlowWeights, type LoadedFlowBase, loadControl, loadFlowAdapter, loadFlowBase } from "../weights/flow.ts";
import { shippedWeights } from "../weights/folder.ts";

/** Stage one's weights. */
export interface ExportedStageOne {
  encoder: LoadedEncoder;
  decoder: MaskedDecoder;
}

/** What draws new pictures. */
export interface ExportedFlow {
  base: LoadedFlowBase;
  adapter: FlowAdapter;
  control: LandmarkControl;
}

/**
 * All weights of a folder, which belong together; `flow` where the folder holds a flow model of its own with all that
 * belongs to it.
 * @throws when a file is missing, damaged, or does not belong to the others
 */
export async function loadForExport(
  folder: string = shippedWeights(),
): Promise<ExportedStageOne & { flow?: ExportedFlow }> {
  const { encoder, decoder } = await loadFirstStage(folder);
  if (!hasFlowWeights(folder)) return { encoder, decoder };
  const base = await loadFlowBase(folder);
  const adapter = await loadFlowAdapter(folder, { encoder, base });
  return { encoder, decoder, flow: { base, adapter, control: await loadControl(folder, base) } };
}
