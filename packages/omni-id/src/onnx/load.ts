import type { LandmarkControl } from "../adapters/landmark-control.ts";
import type { FlowAdapter } from "../flow-decoder.ts";
import type { MaskedDecoder } from "../masked-decoder.ts";
import { type LoadedEncoder, loadFirstStage } from "../weights/first-stage.ts";
import { hasFlowWeights, type LoadedFlowBase, loadControl, loadFlowAdapter, loadFlowBase } from "../weights/flow.ts";
import { shippedWeights } from "../weights/folder.ts";

/** All weights of a folder, which belong together. */
export interface ExportedWeights {
  encoder: LoadedEncoder;
  decoder: MaskedDecoder;
  base: LoadedFlowBase;
  adapter: FlowAdapter;
  control: LandmarkControl;
}

/** @throws when a file is missing, damaged, or does not belong to the others */
export async function loadForExport(folder: string = shippedWeights()): Promise<ExportedWeights> {
  if (!hasFlowWeights(folder)) {
    throw new Error(
      `${folder}: an export takes the weights of all stages, and some of the files for drawing are missing; train them (omni-id train all), or leave --weights out`,
    );
  }
  const { encoder, decoder } = await loadFirstStage(folder);
  const base = await loadFlowBase(folder);
  const adapter = await loadFlowAdapter(folder, { encoder, base });
  return { encoder, decoder, base, adapter, control: await loadControl(folder, base) };
}
