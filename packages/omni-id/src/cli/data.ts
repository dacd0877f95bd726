import { Command } from "@commander-js/extra-typings";
import { inspectShards, renderStats, ShardSet, shardStats, writeSyntheticShards } from "@omni-id/data";
import { SingleBar } from "cli-progress";
import { interruptible, print, whole } from "./output.ts";

export function dataCommand() {
  return new Command("data")
    .description("make, look at and count training data")
    .addCommand(synthCommand())
    .addCommand(inspectCommand())
    .addCommand(statsCommand());
}
