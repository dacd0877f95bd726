// The table of docs/usable-faces.md, from results/usable-faces.json.
import { fixed, percent, source, table } from "./markdown.mjs";

const figure = (value) => (value === null ? "–" : fixed(value));

export const USABLE_TABLE = {
  file: "usable-faces.json",
  command: "node scripts/usable-faces.mjs FOLDER -n 24 -o results/usable-faces.json",
  render(report, command) {
    const rows = Object.entries(report.spoiled).map(([name, { found, refused, warned, auc, faults }]) => [
      name,
      percent(found),
      percent(refused),
      percent(warned),
      figure(auc.accepted),
      figure(auc.refused),
      Object.entries(faults)
        .map(([fault, count]) => `${fault} ${count}`)
        .join(", "),
    ]);
    const scarf = report.spoiled["mouth and nose covered"];
    const dark = report.spoiled["darkened to 15 %"];
    return [
      table(
        [
          "photos",
          "found",
          "refused",
          "warned of",
          "cosine's ROC AUC of those accepted",
          "of those refused",
          "faults told",
        ],
        rows,
      ),
      `Measured by \`${command}\`: ${report.people} people, ${source(report)}. The photos are 250-pixel press photographs ` +
        `(LFW); an AUC is of ${report.people} + ${report.people} pairs or fewer: 0.02 more or less says little.`,
      `What falls short: of mouths and noses behind a scarf ${percent(1 - scarf.refused)} pass, ` +
        `${percent(1 - scarf.refused - scarf.warned)} without a warning, at an AUC of ${figure(scarf.auc.accepted)}. Of faces ` +
        `darkened to 15 % ${percent(dark.warned)} are warned of although such faces still tell people apart ` +
        `(${figure(dark.auc.accepted)}).`,
    ];
  },
};
