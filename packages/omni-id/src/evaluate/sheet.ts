import type { RgbImage } from "@omni-id/face";
import { scope, type Tensor, tensor } from "@omni-id/torch";
import type { People } from "../people/people.ts";
import { saveSheet, toRgb } from "../pictures/picture.ts";
import { toUnit } from "../pictures/rgb-batch.ts";
import type { HeldOutTask } from "./protocol.ts";
import type { Reconstructions } from "./reconstruct.ts";

export const COLUMNS = [
  "input 1",
  "input 2",
  "input 3",
  "target\n(never given)",
  "its 5 %\nvisible patches",
  "from 1 photo",
  "from 3 photos",
  "from 5 photos",
  "mean\nidentity",
  "somebody\nelse's identity",
];

export interface ReconstructionSheet {
  people: People;
  tasks: readonly HeldOutTask[];
  made: Reconstructions;
  title: string;
  notes: string[];
  /** How many people to show, spread over all. */
  rows?: number;
}

/** One row a person: inputs | target | visible patches | reconstructions. The face alone is the decoder's; around it is the target. */
export async function saveReconstructionSheet(file: string, sheet: ReconstructionSheet): Promise<void> {
  const { people, tasks, made, title, notes, rows = 8 } = sheet;
  const perTask = made.targets.length / tasks.length;
  const shown = Array.from({ length: Math.min(rows, tasks.length) }, (_, i) => Math.floor((i * tasks.length) / rows));
  await saveSheet(file, {
    title,
    columns: COLUMNS,
    rows: shown.map((task) => rowOf(people, tasks[task], made, task * perTask)),
    notes: [...notes, "Inside the face every pixel is the decoder's; around the face the target is pasted in."],
    tile: 104,
  });
}

function rowOf(people: People, task: HeldOutTask, made: Reconstructions, index: number): RgbImage[] {
  return scope(() => {
    const inputs = toUnit(people.crops.indexSelect(0, tensor(task.inputs.slice(0, 3), { dtype: "int64" })));
    const truth = made.truth.select(0, index);
    const mask = made.masks.select(0, index);
    const paste = (face: Tensor) => face.mul(mask).add(truth.mul(mask.mul(-1).add(1)));
    const { made: of } = made;
    const faces = [of[1], of[3], of[5], of.identityRemoved, of.otherIdentity].map((all) => paste(all.select(0, index)));
    const pictures = [0, 1, 2].map((i) => inputs.select(0, i));
    return [...pictures, truth, made.visible.select(0, index), ...faces].map(toRgb);
  });
}
