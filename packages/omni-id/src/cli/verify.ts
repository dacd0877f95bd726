import { Command } from "@commander-js/extra-typings";
import { provenance } from "@omni-id/data";
import { writeAtomically } from "@omni-id/torch";
import { verifyPhotos } from "../evaluate/verify-photos.ts";
import { loadEncoder } from "../weights/first-stage.ts";
import { useDevice } from "./device.ts";
import { deviceOption, jsonOption, weightsOption } from "./options.ts";
import { outFile } from "./out-file.ts";
import { note, print, progress } from "./output.ts";

export function verifyCommand() {
  return new Command("verify")
    .argument("<folder>", "folder of folders; people with one photo are strangers to the others")
    .option("-o, --out <file>", "JSON to write: the figures without anybody's paths, fit to be published")
    .addOption(weightsOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nExample:\n  omni-id verify photos     with photos/alice/1.jpg, photos/alice/2.jpg, photos/bob/1.jpg …",
    )
    .action(async (folder, options) => {
      const out = options.out === undefined ? undefined : outFile(options.out, { kind: "report" });
      useDevice(options.device);
      const encoder = await loadEncoder(options.weights);
      const bar = progress("people");
      const report = await verifyPhotos(encoder, folder, { onProgress: bar.update });
      bar.stop();
      if (out) {
        const { seed: _, ...machine } = provenance(0); // nothing is drawn by chance
        const figures = { ...machine, weights: encoder.name, ...report, refused: report.refused.length };
        writeAtomically(out, `${JSON.stringify(figures, null, 2)}\n`);
      }
      for (const { photo, reason } of report.refused) note(`refused: ${photo}: ${reason}`);
      const { enrolled, strangers } = report.people;
      const rows = Object.entries(report.auc).map(
        ([count, { identity, recogniser }]) =>
          `  ${count} photo${count === "1" ? " " : "s"}: ${identity.toFixed(4)} (the recogniser itself: ${recogniser.toFixed(4)})`,
      );
      print(report, {
        json: options.json,
        text: [
          `${enrolled} people with several photos, ${strangers} strangers, ${report.photos} photos`,
          "ROC AUC of an identity against one other photo (1 is perfect, 0.5 is chance):",
          ...rows,
        ].join("\n"),
      });
    });
}
