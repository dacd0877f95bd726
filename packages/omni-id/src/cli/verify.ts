import { Command } from "@commander-js/extra-typings";
import { type AucEstimate, provenance } from "@omni-id/data";
import { writeAtomically } from "@omni-id/torch";
import { reportText } from "../evaluate/figures.ts";
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
        writeAtomically(out, reportText(figures));
      }
      for (const { photo, reason } of report.refused) note(`refused: ${photo}: ${reason}`);
      const { enrolled, strangers } = report.people;
      const rows = Object.entries(report.verification).flatMap(([count, { enrolled, recogniser, carried, learnt }]) => [
        `  ${count} photo${count === "1" ? "" : "s"}, ${enrolled} people:`,
        `    the learnt tokens of ℓ alone  ${auc(learnt)}`,
        ...(carried ? [`    the tokens that it carries    ${auc(carried)}`] : []),
        `    the recogniser itself         ${auc(recogniser)}`,
      ]);
      print(report, {
        json: options.json,
        text: [
          `${enrolled} people with several photos, ${strangers} strangers, ${report.photos} photos`,
          "ROC AUC of an identity against one other photo, 95 % interval over people (1 is perfect, 0.5 is chance):",
          ...rows,
        ].join("\n"),
      });
    });
}

function auc({ auc, ci }: AucEstimate): string {
  return `${auc.toFixed(4)}${ci ? ` (${ci.map((bound) => bound.toFixed(4)).join("–")})` : " (one person: no interval)"}`;
}
