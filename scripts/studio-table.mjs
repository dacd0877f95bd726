// The table of docs/studio.md on how long a visitor waits, from results/studio.json.
import { fixed, source, table } from "./markdown.mjs";

export const STUDIO_TABLE = {
  file: "studio.json",
  command: "npm run test:studio -- --bench",
  render(report, command) {
    const { server, alone, rounds, browser } = report;
    const seconds = (key) => [server, alone].map((mode) => `${fixed(mode[key], 2)} s`);
    return [
      table(
        ["a visitor waits", "server", "browser alone"],
        [
          ["until the page can be used", ...seconds("opened")],
          ["until all models are there, from the same machine", "", `${fixed(alone.ready, 2)} s`],
          ["one photo dropped → the first picture (goal 10 s)", ...seconds("firstPicture")],
          ["three photos dropped → the identity", ...seconds("threePhotosToIdentity")],
          ["click → four pictures", ...seconds("fourPictures")],
          ["downloaded, unpacked by no host (goal 30 MB)", "", `${fixed(alone.megabytes, 1)} MB`],
        ],
      ),
      `Medians of ${rounds} visits, each by a browser that was never there (Chromium ${browser}, no graphics card). Measured by \`${command}\`: ${source(report, report.seed)}.`,
    ];
  },
};
