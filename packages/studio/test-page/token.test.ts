import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startStudio } from "@omni-id/studio";
import { chromium } from "playwright-core";
import { expect, it } from "vitest";
import { ready } from "./modes.ts";

it("on other addresses the page works by the token in its address, which it takes out of it, and not without", async () => {
  const folder = mkdtempSync(join(tmpdir(), "omni-id-studio-token-"));
  const places = { runs: join(folder, "runs"), sets: [], results: join(folder, "results") };
  const studio = await startStudio({ address: "0.0.0.0", port: 0, places });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox"],
  });
  try {
    expect(studio.url).toMatch(/#token=[\w-]{32}$/);
    const page = await browser.newPage();
    await ready(page, studio.url);
    expect(page.url()).not.toContain("token");
    await page.reload();
    await page.waitForFunction(() => document.querySelectorAll("option").length > 3);
    const stranger = await (await browser.newContext()).newPage();
    await stranger.goto(studio.url.replace(/#.*/, ""));
    await expect.poll(() => stranger.locator(".trouble").textContent()).toContain("it holds the token");
  } finally {
    await browser.close();
    await studio.close();
    rmSync(folder, { recursive: true });
  }
});
