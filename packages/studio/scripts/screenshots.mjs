// The states of the studio's page as pictures, of rendered people only: docs/studio.png, and all states in out/studio.
// usage: screenshots.mjs EXPORT (npm run test:studio -- --screenshots)
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { renderPictures, writeSyntheticShards } from "@omni-id/data";
import { saveImage, toSharp } from "@omni-id/face";
import { serveExport, startStudio } from "@omni-id/studio";
import { chromium } from "playwright-core";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const out = join(root, "out/studio");
const exported = process.argv[2];
const folder = mkdtempSync(join(tmpdir(), "omni-id-studio-shots-"));
mkdirSync(out, { recursive: true });

/** The demo's people. */
const SEED = 20_241_213;
async function photos(identity, count) {
  const { images } = await renderPictures({ seed: SEED, identity, images: count, size: 384 });
  return Promise.all(
    images.map(async ({ image }, i) => {
      const file = join(folder, `person-${identity + 1}-photo-${i + 1}.png`);
      await saveImage(file, image);
      return file;
    }),
  );
}
async function landscape() {
  const data = new Uint8Array(3 * 256 * 256).map((_, i) => (i % 3 === 2 ? 200 : (i / 768) % 256));
  const file = join(folder, "landscape.png");
  await toSharp({ width: 256, height: 256, data }).png().toFile(file);
  return file;
}

/** A made-up training: this shows the view, and no result. */
function training() {
  const run = join(folder, "runs/example");
  mkdirSync(run, { recursive: true });
  const lines = [];
  for (let step = 10; step <= 1500; step += 10) {
    const value = 0.04 + 0.12 * Math.exp(-step / 300) + 0.004 * Math.sin(step);
    lines.push({ kind: "train", step, loss: value, "mask share": 0.95 });
    if (step % 250 === 0) lines.push({ kind: "held-out", step, loss: value + 0.006 });
  }
  writeFileSync(join(run, "log.jsonl"), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
}

const settled = async (page, pictures) => {
  await page.waitForFunction(
    (count) =>
      document.querySelectorAll(".pictures:not(.coming) img").length === count && !document.querySelector(".progress"),
    pictures,
    { timeout: 300_000 },
  );
};
const ready = async (page, url) => {
  await page.goto(url);
  await page.waitForFunction(
    () => document.querySelector(".studio") && !document.querySelector(".opening"),
    undefined,
    {
      timeout: 300_000,
    },
  );
};
const files = (page) => page.locator(".drop input[type=file]");
let shots = 0;
const shoot = async (page, name, { fullPage = true, path } = {}) => {
  // Off what would show as hovered or focused.
  await page.evaluate(() => document.activeElement?.blur());
  await page.screenshot({ path: path ?? join(out, `${String(++shots).padStart(2, "0")}-${name}.png`), fullPage });
};

const people = join(folder, "people");
await writeSyntheticShards({ out: people, identities: 4, images: 8, size: 96, seed: 5 }).catch((error) =>
  process.stderr.write(`no set to show: ${error.message}\n`),
);
training();
const places = { runs: join(folder, "runs"), sets: [people], results: join(root, "results") };
const studio = await startStudio({ port: 0, places, identities: join(folder, "identities") });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await ready(page, studio.url);
  await shoot(page, "empty");
  await page.getByLabel("Name").fill("Ann");
  await files(page).setInputFiles([...(await photos(0, 4)), await landscape()]);
  await settled(page, 4);
  await page.getByLabel("The photos are").selectOption("rendered");
  await page.getByRole("slider", { name: "Turn the head" }).fill("20");
  await page.waitForTimeout(500);
  await settled(page, 4);
  await page.getByRole("button", { name: "Look" }).click();
  await page.locator("canvas").first().waitFor();
  const [target] = await photos(2, 1);
  await page.locator("section", { hasText: "Draw into a photo" }).locator("input[type=file]").setInputFiles(target);
  await page.getByText("what is seen of it").waitFor();
  await page.waitForTimeout(300);
  await shoot(page, "drawn");
  await page.evaluate(() => scrollTo(0, 0));
  await shoot(page, "page", { path: join(root, "docs/studio.png"), fullPage: false });
  await page.getByRole("button", { name: "New person" }).click();
  await page.getByLabel("Name").fill("Ben");
  await files(page).setInputFiles(await photos(3, 3));
  await page.getByText("Pictures of Ben").waitFor();
  await settled(page, 4);
  await page.getByRole("button", { name: "Mix in Ann" }).click();
  await page.waitForTimeout(500);
  await settled(page, 4);
  await page.getByText("Words that the model knows").click();
  await shoot(page, "mixed");
  await page.getByRole("button", { name: "Other noise" }).click();
  await page.locator("section.draw progress[value]").waitFor();
  await page.waitForTimeout(900);
  await shoot(page, "drawing", { fullPage: false });
  await settled(page, 4);
  await page.getByRole("button", { name: "New person" }).click();
  await files(page).setInputFiles([await landscape()]);
  await page.locator(".trouble").waitFor();
  await shoot(page, "refused", { fullPage: false });
  for (const view of ["training", "sets", "results"]) {
    await page.goto(`${studio.url}#${view}`);
    await page.waitForTimeout(1500);
    await shoot(page, view, { fullPage: false });
  }
  await page.close();

  for (const colorScheme of ["light", "dark"]) {
    const phone = await browser.newPage({ viewport: { width: 390, height: 844 }, colorScheme, deviceScaleFactor: 2 });
    await ready(phone, studio.url);
    await phone.getByLabel("Name").fill("Ann");
    await files(phone).setInputFiles(await photos(0, 2));
    await settled(phone, 4);
    await shoot(phone, `phone-${colorScheme}`);
    await phone.close();
  }
  const dark = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme: "dark" });
  await ready(dark, studio.url);
  await files(dark).setInputFiles(await photos(0, 3));
  await settled(dark, 4);
  await shoot(dark, "dark");
  await dark.close();

  const host = await serveExport(exported);
  const page2 = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await page2.goto(host.url);
  await page2
    .getByText("Fetching the models")
    .waitFor({ timeout: 60_000 })
    .catch(() => {});
  await shoot(page2, "browser-fetching", { fullPage: false });
  await ready(page2, host.url);
  await files(page2).setInputFiles(await photos(0, 3));
  await settled(page2, 4);
  await page2.getByText("Works offline now").waitFor();
  await shoot(page2, "browser-drawn", { fullPage: false });
  await host.close();
} finally {
  await browser.close();
  await studio.close();
  rmSync(folder, { recursive: true });
}
process.stdout.write(`${out}: ${shots} pictures; docs/studio.png\n`);
