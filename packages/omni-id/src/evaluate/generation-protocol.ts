import { scope, type Tensor, tensor } from "@omni-id/torch";
import type { People } from "../people/people.ts";
import { type HeldOutTask, heldOutTasks, otherTask } from "./protocol.ts";

/** Whom a picture is drawn from. */
export const GENERATED = ["1", "3", "5", "identityRemoved", "otherIdentity", "bareBase"] as const;
export type Generated = (typeof GENERATED)[number];

/** One picture to be drawn: of whom, and in whose pose. */
export interface GenerationTask extends HeldOutTask {
  /** Row of the photo that gives the pose and is compared with; never among the inputs. */
  target: number;
  /** The task whose identity stands in as "somebody else". */
  other: number;
}

/** Targets of each of a person's four tests: eight pictures a person in all. */
const TARGETS = 2;

/** The four tests of stage one, two targets each. */
export function generationTasks(people: People): GenerationTask[] {
  const tasks = heldOutTasks(people);
  return tasks.flatMap((task, number) =>
    task.targets.slice(0, TARGETS).map((target) => ({ ...task, target, other: otherTask(number, tasks.length) })),
  );
}

/** Rows of a tensor by number. */
export function rowsOf(all: Tensor, rows: readonly number[]): Tensor {
  return scope(() => all.indexSelect(0, tensor(rows, { dtype: "int64" })));
}
