// How long a visitor waits, both modes: results/studio.json. Each round is a browser that has never been here.
// usage: bench.mjs EXPORT (npm run test:studio -- --bench)
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { provenance, renderPictures } from "@omni-id/data";
import { saveImage } from "@omni-id/face";
import { serveExport, startStudio } from "@omni-id/studio";
import { chromium } from "playwright-core";

const ROUNDS = 3;
const SEED = 20_241_213;
const PATIENCE = { timeout: 300_000 };

const root = fileURLToPath(new URL("../../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "omni-id-studio-bench-"));
const { images } = await renderPictures({ seed: SEED, identity: 0, images: 3, size: 384 });
const photos = await Promise.all(
  images.map(async ({ image }, i) => {
    const file = join(folder, `photo-${i + 1}.png`);
    await saveImage(file, image);
    return file;
  }),
);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});

/** Milliseconds to seconds, to two digits. */
const since = (began) => Math.round((performance.now() - began) / 10) / 100;
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const drawn = (page, count) =>
  page.waitForFunction(
    (wanted) =>
      document.querySelectorAll(".pictures:not(.coming) img").length === wanted && !document.querySelector(".progress"),
    count,
    PATIENCE,
  );

/** One visit: the page, a first picture of one photo, then three photos, then four pictures. */
async function visit(url, mode) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const seconds = {};
  let began = performance.now();
  await page.goto(url);
  const input = page.locator(".drop input[type=file]");
  await input.waitFor(PATIENCE);
  await page.waitForFunction(() => document.querySelector("select") !== null, undefined, PATIENCE);
  seconds.opened = since(began);
  // Where models come to the browser, they are there once for all visits; what is timed below is not the network.
  if (mode === "browser") await page.getByText("Works offline now").waitFor(PATIENCE);
  seconds.ready = since(began);

  const count = page.getByRole("spinbutton", { name: "Pictures" });
  await count.fill("1");
  await count.press("Enter");
  await count.blur();
  began = performance.now();
  await input.setInputFiles(photos.slice(0, 1));
  await drawn(page, 1);
  seconds.firstPicture = since(began);

  await page.getByRole("button", { name: "New person" }).click();
  const before = await page.locator(".person").count();
  began = performance.now();
  await input.setInputFiles(photos);
  await page.waitForFunction((known) => document.querySelectorAll(".person").length > known, before, PATIENCE);
  seconds.threePhotosToIdentity = since(began);
  await drawn(page, 1);

  await page.getByLabel("Draw as I change things").uncheck();
  await count.fill("4");
  await count.press("Enter");
  began = performance.now();
  await page.locator("section.draw").getByRole("button", { name: "Draw", exact: true }).click();
  await drawn(page, 4);
  seconds.fourPictures = since(began);
  await context.close();
  return seconds;
}

async function measure(mode, url) {
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await visit(url, mode));
  const keys = Object.keys(rounds[0]);
  return Object.fromEntries(keys.map((key) => [key, median(rounds.map((round) => round[key]))]));
}

try {
  const studio = await startStudio({ port: 0, places: { runs: folder, sets: [], results: folder } });
  const server = await measure("server", studio.url);
  await studio.close();
  const host = await serveExport(process.argv[2], { headers: true });
  const once = await visit(host.url, "browser");
  const megabytes = Math.round(host.bytes() / 1e5) / 10;
  const alone = { ...(await measure("browser", host.url)), megabytes };
  await host.close();
  const report = { ...provenance(SEED), rounds: ROUNDS, browser: browser.version(), server, alone, first: once };
  writeFileSync(join(root, "results/studio.json"), `${JSON.stringify(report, null, 2)}\n`);
  process.stdout.write(`${JSON.stringify(report, null, 2)}\nin results/studio.json\n`);
} finally {
  await browser.close();
  rmSync(folder, { recursive: true });
}
