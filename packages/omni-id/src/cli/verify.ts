import { Command } from "@commander-js/extra-typings";
import { verifyPhotos } from "../evaluate/verify-photos.ts";
import { loadEncoder } from "../weights.ts";
import { print, progress } from "./output.ts";

export function verifyCommand() {
  return new Command("verify")
    .description("how well identities tell people apart on photos of yours: one folder of photos a person")
    .argument("<folder>", "folder of folders; people with one photo are strangers to the others")
    .option("--weights <folder>", "folder of the encoder's weights (default: the shipped ones)")
    .option("--json", "print the report as JSON")
    .action(async (folder, options) => {
      const encoder = await loadEncoder(options.weights);
      const bar = progress("people");
      const report = await verifyPhotos(encoder, folder, { onProgress: bar.update });
      bar.stop();
      for (const { photo, reason } of report.refused) process.stderr.write(`refused: ${photo}: ${reason}\n`);
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
