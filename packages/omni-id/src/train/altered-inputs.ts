import type { KeyedRandom } from "@omni-id/data";
import type { FewToManyTask } from "../few-to-many.ts";
import type { People } from "../people/people.ts";

/**
 * The same tasks with altered copies among the inputs: each input is, as often as `share` says, one of its photo's
 * copies. Where there are none nothing is drawn, and the tasks are what they were.
 */
export function alterInputs(
  tasks: FewToManyTask[],
  people: Pick<People, "counts" | "copies" | "copyOf">,
  { share, random }: { share: number; random: KeyedRandom },
): FewToManyTask[] {
  if (people.copies === 0) return tasks;
  return tasks.map((task) => ({
    ...task,
    inputs: task.inputs.map((image) => {
      const [taken, copy] = [random.chance(share), random.below(people.copies)];
      // The only photo of a person may be given as an altered copy already.
      return taken && image < people.counts[task.person] ? people.copyOf(task.person, image, copy) : image;
    }),
  }));
}
