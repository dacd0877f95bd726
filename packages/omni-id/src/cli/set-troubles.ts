import type { SetResult } from "@omni-id/data";

/** Lines of each kind of trouble that are told; the report has them all. */
const TOLD = 10;

/** What could not be used of what a set is made of. @param names what its sources and their clips are called */
export function tellTroubles(
  { missing, malformed, failed, summary: { refused } }: SetResult,
  { source, clip: part }: { source: string; clip: string },
): void {
  const tell = (lines: string[], of: string) => {
    // A file's name may hold line breaks, or orders to the terminal.
    for (const line of lines.slice(0, TOLD)) process.stderr.write(`${line.replace(/\p{Cc}/gu, "?")}\n`);
    if (lines.length > TOLD) process.stderr.write(`… and ${lines.length - TOLD} more ${of}\n`);
  };
  tell(
    malformed.map(({ where, what }) => `not read: ${where}: ${what}`),
    "places that could not be read",
  );
  tell(
    refused.map(({ video, clip, why }) => `no use: ${video}${clip === "whole" ? "" : `, ${clip}`}: ${why}`),
    `${part}s of no use`,
  );
  if (missing.length > 0) {
    process.stderr.write(
      `${missing.length} ${part === "clip" ? "video" : part}s are named and not there, such as ${missing[0]}\n`,
    );
  }
  tell(
    failed.map(({ video, why }) => `failed: ${video}: ${why}`),
    `${source}s that failed`,
  );
}
