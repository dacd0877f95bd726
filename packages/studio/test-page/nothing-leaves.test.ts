import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { drawn, drop, type Opened, onePicture, openMode, ready } from "./modes.ts";
import { photosOf } from "./photos.ts";

describe("browser mode keeps to itself", () => {
  let opened: Opened;
  beforeAll(async () => {
    opened = await openMode("browser");
  });
  afterAll(() => opened?.close());
  const asked = () => opened.host?.requests.length ?? -1;

  it("after loading not one request leaves the page, whatever is done in it, and none can be made", async () => {
    const { page, context } = await opened.visit();
    const foreign: string[] = [];
    context.on("request", (request) => {
      if (!request.url().startsWith(opened.url) && !/^(blob|data):/.test(request.url())) foreign.push(request.url());
    });
    await ready(page, opened.url);
    await expect.poll(() => page.locator(".where").textContent()).toContain("offline");
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    const before = asked();
    await onePicture(page);
    await drop(page, await photosOf(0, 2));
    await drawn(page, 1);
    await page.getByRole("button", { name: "Look" }).click();
    await expect.poll(() => page.locator("canvas").count()).toBe(2);
    const [target] = await photosOf(1, 1);
    await page.locator("section", { hasText: "Draw into a photo" }).locator("input[type=file]").setInputFiles(target);
    await expect.poll(() => page.locator("section", { hasText: "Draw into a photo" }).locator("img").count()).toBe(3);
    expect(asked() - before).toBe(0);
    expect(foreign).toEqual([]);

    // And were its code another: the policy lets it send nothing anywhere else, the service worker nothing home.
    const tried = await page.evaluate(async () => {
      const blocked: string[] = [];
      document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) =>
        blocked.push(effectiveDirective),
      );
      const refused = async (address: string, init?: RequestInit) =>
        fetch(address, init).then(
          () => "sent",
          () => "refused",
        );
      const away = await refused("https://example.org/");
      const home = await refused("studio.json", { method: "POST", body: "a photo" });
      const image = new Image();
      image.src = "https://example.org/a.png";
      navigator.sendBeacon("https://example.org/", "a photo");
      await new Promise((resolve) => setTimeout(resolve, 300));
      return { away, home, blocked };
    });
    expect(tried).toMatchObject({ away: "refused", home: "refused" });
    expect(tried.blocked).toEqual(expect.arrayContaining(["connect-src", "img-src"]));
    expect(asked() - before).toBe(0);
    await context.close();
  });

  it("after one visit it works without a network, its host gone", async () => {
    const { page, context } = await opened.visit();
    await ready(page, opened.url);
    await expect.poll(() => page.locator(".where").textContent()).toContain("offline");
    await context.setOffline(true);
    await opened.host?.close();
    await ready(page, opened.url);
    await onePicture(page);
    await drop(page, await photosOf(0, 1));
    await drawn(page, 1);
    await context.close();
  });
});
