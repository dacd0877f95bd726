import { Command } from "@commander-js/extra-typings";
import { departures } from "../presets/departures.ts";
import { presetDifferences, presets, resolvePreset } from "../presets/index.ts";
import { jsonOption } from "./options.ts";
import { print, UsageError } from "./output.ts";

export function presetsCommand() {
  return new Command("presets")
    .description("the presets' values, and where one departs from another")
    .argument("[name]", `one of: ${Object.keys(presets).join(", ")}`)
    .option("--against <name>", "print the differences only; of nano against nano-paper also why")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nExamples:\n  omni-id presets nano\n  omni-id presets nano --against nano-paper     where nano departs from what the paper says",
    )
    .action((name, { against, json }) => {
      if (name === undefined) {
        const names = Object.keys(presets);
        return print(names, { json, text: names.join("\n") });
      }
      const [preset, other] = [name, against].map((one) => (one === undefined ? undefined : known(one)));
      if (!preset) return;
      if (!other) return print(preset, { json, text: JSON.stringify(preset, null, 2) });
      if (preset.name === "nano" && other.name === "nano-paper") {
        const found = departures(other, preset);
        const line = ({ key, paper, nano, why }: (typeof found)[number]) => `${key} ${paper} → ${nano}: ${why}`;
        return print(found, { json, text: found.map(line).join("\n") });
      }
      const found = presetDifferences(other, preset);
      print(found, { json, text: found.join("\n") });
    });
}

function known(name: string) {
  try {
    return resolvePreset(name);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
