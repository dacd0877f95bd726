import { saveSheet } from "../pictures/picture.ts";
import { chooseQueries } from "./attention-maps.ts";
import { overlay } from "./attention-overlay.ts";
import type { AttentionReport } from "./attention-report.ts";

/** Photos in rows; in columns the queries that look at the smallest, different places. */
export async function saveAttentionSheet(file: string, report: AttentionReport, { count = 6 } = {}): Promise<void> {
  const chosen = chooseQueries(report.queries, count);
  await saveSheet(file, {
    title: "What the encoder's queries look at",
    columns: ["photo", ...chosen.map(({ query, part }) => `query ${query}\n${part}`)],
    rows: report.photos.map(({ crop, maps }) => [crop, ...chosen.map(({ query }) => overlay(crop, maps[query]))]),
    notes: [
      `Cross-attention block ${report.block}, mean over heads, all photos encoded together; each map from its own least to its own largest weight.`,
      chosen
        .map(
          ({ query, entropy, spread }) => `query ${query}: entropy ${entropy.toFixed(2)}, spread ${spread.toFixed(2)}`,
        )
        .join(" · "),
      "Entropy 1 looks everywhere alike; spread: how far its middle moves between photos, in distances from the eyes to the mouth.",
    ],
    tile: 144,
  });
}
