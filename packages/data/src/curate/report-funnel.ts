import { REASONS, type Reason } from "./observation.ts";
import { escapeHtml } from "./report-figures.ts";
import type { CurateSettings, SetSettings } from "./settings.ts";
import type { SetSummary } from "./summary.ts";
import type { SetWords } from "./words.ts";

/** The settings that decide on a reason: what to change where the report shows that too many go, or too few. */
const DECIDED_BY: Partial<Record<Reason, (keyof CurateSettings)[]>> = {
  small: ["minSize"],
  edge: ["maxOutside"],
  blurred: ["minDetail"],
  turned: ["maxYaw", "maxPitch"],
  unclear: ["minQuality"],
  stranger: ["sameFace"],
  few: ["images"],
};

export const settingsOf = (why: Reason, settings: SetSettings): string =>
  (DECIDED_BY[why] ?? []).map((name) => `${name} ${(settings as CurateSettings)[name]}`).join(", ");

/** What became of the frames, stage by stage. */
export function funnel(
  { frames, emptyFrames, faces, dropped: why, kept, cuts }: SetSummary,
  settings: SetSettings,
  { frame: [one, many] }: SetWords,
): string {
  const rows = [
    funnelRow(`${many} looked at`, frames, frames, "left"),
    funnelRow("no face found", emptyFrames, frames, "dropped"),
    funnelRow(`faces found (several in a ${one} count each)`, faces, faces, "left"),
  ];
  let left = faces;
  for (const [reason, text] of Object.entries(REASONS) as [Reason, string][]) {
    if (why[reason] > 0) rows.push(funnelRow(text, why[reason], faces, "dropped", settingsOf(reason, settings)));
    left -= why[reason];
    const after = AFTER[reason];
    if (after) rows.push(funnelRow(after, left, faces, "left"));
  }
  rows.push(funnelRow("kept", kept, faces, "left"));
  const seen = cuts > 0 || one === "frame" ? `<p>${cuts} cuts were seen.</p>` : "";
  return `<h2>What became of the ${many}</h2><table class="funnel">${rows.join("")}</table>${seen}`;
}

/** What is left after the last reason of a stage. */
const AFTER: Partial<Record<Reason, string>> = {
  unclear: "measured: good enough to be taken",
};

const percent = (share: number) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

/** A row of the funnel: what is left, or what went, and by which setting. */
function funnelRow(name: string, count: number, of: number, kind: "left" | "dropped", setting = ""): string {
  const share = of > 0 ? count / of : 0;
  const bar = `<span class="bar ${kind}" style="width:${(100 * share).toFixed(2)}%"></span>`;
  return `<tr class="${kind}"><td>${escapeHtml(name)}${setting && ` <code>${escapeHtml(setting)}</code>`}</td><td class="n">${count}</td><td class="n">${percent(share)}</td><td class="track">${bar}</td></tr>`;
}
