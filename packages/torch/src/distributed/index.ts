export { broadcastModule, DataParallel, type DataParallelOptions, type ExchangeStatistics } from "./data-parallel.ts";
export { type Rendezvous, rendezvousOf } from "./environment.ts";
export { type LaunchOptions, type LaunchResult, launch } from "./launch.ts";
export {
  type Backend,
  backends,
  type CollectiveOptions,
  type InitOptions,
  init,
  ProcessGroup,
  type ReduceOptions,
  type Reduction,
} from "./process-group.ts";
export { type Optimiser, ShardedOptimiser } from "./sharded-optimiser.ts";
