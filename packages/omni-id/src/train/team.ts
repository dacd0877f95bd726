import { distributed, type nn, scope, tensor } from "@omni-id/torch";
import { ALONE, type Share } from "./share.ts";

/** A report or a checkpoint of rank 0, while the others wait, may take long: seconds. */
const PATIENCE = 24 * 3600;

/** The processes that train together, as the training loop sees them. */
export interface Team {
  readonly share: Share;
  /** Whether this process writes files and tells of the run. */
  readonly leads: boolean;
  /** Among whom the optimisers' state is divided; undefined: each process has all of it. */
  readonly divides: distributed.ProcessGroup | undefined;
  /** Gives all processes one set of weights, and has `backward` average gradients from here on. */
  join(model: nn.Module): void;
  /** Runs a backward pass whose gradients are only added up here: all but the last of a step in pieces. */
  alone(backward: () => void): void;
  /** Means over all processes. All must bring the same names. */
  figures(own: Record<string, number>): Record<string, number>;
  /** Whether any process says yes. */
  any(own: boolean): boolean;
  /** Waits for all, who may be late. */
  meet(what: string): Promise<void>;
}

/** One process. */
export const SOLO: Team = {
  share: ALONE,
  leads: true,
  divides: undefined,
  join: () => {},
  alone: (backward) => backward(),
  figures: (own) => own,
  any: (own) => own,
  meet: async () => {},
};

/** Several processes, each of which has the whole model and a share of each batch. */
export function teamOf(group: distributed.ProcessGroup, { divide = false }: { divide?: boolean } = {}): Team {
  const { rank, worldSize: count, device } = group;
  let parallel: distributed.DataParallel | undefined;
  const all = (values: readonly number[], reduction: distributed.Reduction, what: string): number[] =>
    scope(() => {
      const own = tensor([...values], { dtype: "float64", device });
      return group.allReduceSync(own, { reduction, what }).tolist() as number[];
    });
  return {
    share: {
      rank,
      count,
      total: (value) => {
        const { device: home } = value;
        return group.allReduceSync(value.detach().to(device).clone(), { what: "a total" }).to(home);
      },
    },
    leads: rank === 0,
    divides: divide ? group : undefined,
    join: (model) => {
      parallel?.close();
      parallel = new distributed.DataParallel(group, model);
    },
    alone: (backward) => (parallel ? parallel.noSync(backward) : backward()),
    figures: (own) => {
      const names = Object.keys(own);
      const means = all(Object.values(own), "mean", `the step's ${names.join(", ")}`);
      return Object.fromEntries(names.map((name, i) => [name, means[i]]));
    },
    any: (own) => all([own ? 1 : 0], "max", "whether to stop")[0] > 0,
    meet: (what) => group.barrier({ what, timeout: PATIENCE }),
  };
}
