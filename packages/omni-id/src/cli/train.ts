import { Command } from "@commander-js/extra-typings";
import { stageCommand } from "./stage-command.ts";
import { STAGES } from "./stages.ts";
import { trainAllCommand } from "./train-all.ts";

export function trainCommand() {
  return new Command("train")
    .addCommand(stageCommand(STAGES.mtd))
    .addCommand(stageCommand(STAGES.base))
    .addCommand(stageCommand(STAGES.flow))
    .addCommand(stageCommand(STAGES.control))
    .addCommand(stageCommand(STAGES.personalise))
    .addCommand(stageCommand(STAGES.clip))
    .addCommand(stageCommand(STAGES.autoencoder))
    .addCommand(stageCommand(STAGES.attributes))
    .addCommand(trainAllCommand());
}
