import { readFileSync } from "node:fs";
import { identityBytes, parseIdentityBytes } from "@omni-id/studio";
import { fromTypedArray } from "@omni-id/torch";
import axe from "axe-core";
import { encodeIdentity, FaceGenerator, loadEncoder, loadIdentity, toRgb } from "omni-id";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { drawn, drop, type Mode, type Opened, onePicture, openMode, pixels, ready } from "./modes.ts";
import { heic, huge, nobody, photosOf, text } from "./photos.ts";

const MODES: readonly Mode[] = ["server", "browser"];

describe.each(MODES)("the page, %s mode", (mode) => {
  let opened: Opened;
  let context: BrowserContext | undefined;
  beforeAll(async () => {
    opened = await openMode(mode);
  });
  afterEach(() => context?.close());
  afterAll(() => opened?.close());

  async function visit(options?: Parameters<Opened["visit"]>[0]): Promise<Page> {
    if (mode === "server") await forgetEverybody(opened.url);
    const visitor = await opened.visit(options);
    context = visitor.context;
    await ready(visitor.page, opened.url);
    return visitor.page;
  }
  const rows = (page: Page) => page.locator(".pile .photo");

  it("three photos dropped → identity → four pictures, those of the command line for the same seed", async () => {
    const photos = await photosOf(0, 3);
    const page = await visit();
    await page.getByLabel("Name").fill("Alice");
    await drop(page, photos);
    await drawn(page);
    expect(await rows(page).locator(".state").allTextContents()).toEqual(["taken", "taken", "taken"]);
    expect(await page.locator(".person strong").allTextContents()).toEqual(["Alice"]);

    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Save the identity file of Alice" }).click(),
    ]);
    const file = await download.path();
    const saved = parseIdentityBytes("saved", readFileSync(file));
    const encoder = await loadEncoder();
    const { identity } = await encodeIdentity(
      encoder,
      photos.map(({ name, buffer }) => ({ name, bytes: new Uint8Array(buffer) })),
    );
    const { tokens, ...notes } = identity;
    const ours = { ...notes, values: tokens.toTypedArray() as Float32Array, shape: tokens.shape };
    const asSaved = parseIdentityBytes("ours", identityBytes(ours));
    const apart = asSaved.values.map((value, i) => Math.abs(value - saved.values[i]));
    expect(Math.max(...apart)).toBeLessThan(mode === "server" ? 1e-9 : 5e-3);
    expect(loadIdentity(file).photos).toHaveLength(3);

    const generator = await FaceGenerator.load(undefined, encoder);
    const tokens16 = fromTypedArray(asSaved.values, asSaved.shape);
    const made = generator.generate({
      identity: tokens16,
      landmarks: generator.poseLandmarks({ yaw: 0, pitch: 0, expression: "neutral" }),
      count: 4,
      seed: 0,
      guidance: generator.guidanceFor(tokens16),
      // A browser has no bfloat16; the server has what the command line has.
      precision: mode === "browser" ? "float32" : undefined,
    });
    for (const [i, picture] of (await pixels(page)).entries()) {
      const expected = toRgb(made.unbind(0)[i]).data;
      const difference =
        picture.reduce((sum, value, j) => sum + Math.abs(value - expected[j]), 0) / picture.length / 255;
      expect(difference).toBeLessThan(1e-3);
    }
  });

  it("a photo without a face and what is no photo are refused with the reason, a HEIC and 40 megapixels are taken", async () => {
    const page = await visit();
    await onePicture(page);
    await drop(page, [await nobody(), text(), await heic(), await huge()]);
    await drawn(page, 1);
    const told = await rows(page).evaluateAll((all) =>
      all.map((row) => [".name", ".state", ".detail"].map((part) => row.querySelector(part)?.textContent ?? "")),
    );
    expect(told).toEqual([
      ["landscape.png", "not taken", expect.stringMatching(/no face/)],
      ["notes.txt", "not taken", expect.stringMatching(/not? a? ?picture/)],
      ["rendered-person.heic", "taken", expect.stringContaining("quality")],
      ["forty-megapixels.jpg", "taken", expect.stringContaining("quality")],
    ]);
    expect(await page.locator(".summary").textContent()).toBe("2 of 4 photos went into the identity");
  });

  it("photos of which none can be used say why, and the next ones work", async () => {
    const page = await visit();
    await onePicture(page);
    await drop(page, [await nobody()]);
    await page.locator(".trouble").waitFor();
    expect(await rows(page).locator(".state").allTextContents()).toEqual(["not taken"]);
    expect(await page.locator(".person").count()).toBe(0);
    await drop(page, await photosOf(1, 1));
    await drawn(page, 1);
    expect(await page.locator(".person").count()).toBe(1);
  });

  it("twenty at once, two of one name among them", async () => {
    const page = await visit();
    await onePicture(page);
    const photos = [...(await photosOf(2, 8, 200)), ...(await photosOf(2, 8, 208)), ...(await photosOf(2, 4, 216))];
    await drop(page, photos);
    await drawn(page, 1);
    expect(await rows(page).count()).toBe(20);
    expect(await page.locator(".summary").textContent()).toMatch(/^(1[5-9]|20) of 20 photos/);
    expect(new Set(await rows(page).locator(".name").allTextContents()).size).toBe(20);
  });

  it("reloaded while it draws: the identity is there still, and draws", async () => {
    const page = await visit();
    await onePicture(page);
    await page.getByLabel("Name").fill("Alice");
    await drop(page, await photosOf(0, 1));
    await page.locator(".person").waitFor();
    await page.locator("section.draw .progress").waitFor();
    await ready(page, opened.url);
    expect(await page.locator(".person strong").allTextContents()).toContain("Alice");
    await onePicture(page);
    await page.getByRole("button", { name: "Draw", exact: true }).first().click();
    await drawn(page, 1);
  });

  it("work is cancelled at once, and the next is done", async () => {
    const page = await visit();
    const count = page.getByRole("spinbutton", { name: "Pictures" });
    await count.fill("8");
    await drop(page, await photosOf(0, 1));
    const cancel = page.locator("section.draw").getByRole("button", { name: "Cancel" });
    await page.locator("section.draw progress[value]").waitFor();
    await cancel.click();
    await expect.poll(() => page.locator("section.draw .progress").count()).toBe(0);
    expect(await page.locator(".trouble").count()).toBe(0);
    await onePicture(page);
    await page.locator("section.draw").getByRole("button", { name: "Draw", exact: true }).click();
    await drawn(page, 1);
  });

  it("by keyboard alone: sliders, expression, words, noise; each change draws anew", async () => {
    const page = await visit();
    await onePicture(page);
    await drop(page, await photosOf(0, 1));
    await drawn(page, 1);
    const before = await pixels(page);
    const change = async (work: () => Promise<void>) => {
      await work();
      await page.locator("section.draw .progress").waitFor();
      await drawn(page, 1);
    };
    const yaw = page.getByRole("slider", { name: "Turn the head" });
    await yaw.focus();
    await change(async () => {
      for (let i = 0; i < 6; i++) await page.keyboard.press("ArrowRight");
    });
    expect(await yaw.getAttribute("aria-valuetext")).toBe("30 degrees to the right");
    expect(await pixels(page)).not.toEqual(before);
    await change(async () => {
      await page.getByRole("combobox", { name: "Expression" }).selectOption("laugh");
    });
    await page.getByLabel("Words", { exact: true }).fill("smile, astronaut");
    await change(() => page.keyboard.press("Enter"));
    await expect.poll(() => page.locator("section.draw .note").textContent()).toContain("astronaut");
    await page.getByRole("button", { name: "Other noise" }).focus();
    await change(() => page.keyboard.press("Enter"));
    expect(await page.getByRole("spinbutton", { name: "Noise" }).inputValue()).toBe("1");
  });

  it("two people are compared and mixed; a photo's pose is taken; pictures are saved", async () => {
    const page = await visit();
    await onePicture(page);
    await page.getByLabel("Name").fill("Ann");
    await drop(page, await photosOf(0, 1));
    await drawn(page, 1);
    await page.getByRole("button", { name: "New person" }).click();
    await page.getByLabel("Name").fill("Ben");
    await drop(page, await photosOf(1, 1));
    await expect.poll(() => page.locator("#draw-title").textContent()).toBe("Pictures of Ben");
    await drawn(page, 1);
    await page.getByRole("button", { name: "Mix in Ann" }).click();
    await expect.poll(() => page.locator("#draw-title").textContent()).toBe("Pictures of Ben and Ann, mixed");
    await expect.poll(() => page.locator(".card .note").allTextContents()).toHaveLength(1);
    await page.locator("section.draw .progress").waitFor();
    await drawn(page, 1);
    expect(await page.getByRole("slider", { name: "How much of Ann" }).getAttribute("aria-valuetext")).toBe("50 %");
    const [posed] = await photosOf(3, 1);
    await page.locator("section.draw input[type=file]").setInputFiles(posed);
    await expect.poll(() => page.getByText(`as in ${posed.name}`).count()).toBe(1);
    await page.waitForTimeout(400);
    await drawn(page, 1);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Save picture 1" }).click(),
    ]);
    expect(
      readFileSync(await download.path())
        .subarray(1, 4)
        .toString(),
    ).toBe("PNG");
  });

  it("what each query looked at, and the identity drawn into a photo", async () => {
    const page = await visit();
    await onePicture(page);
    await drop(page, await photosOf(0, 2));
    await drawn(page, 1);
    await page.getByRole("button", { name: "Look" }).click();
    await expect.poll(() => page.locator("canvas").count()).toBe(2);
    const colours = () =>
      page
        .locator("canvas")
        .first()
        .evaluate((canvas) => {
          const { width, height } = canvas as HTMLCanvasElement;
          const context = (canvas as HTMLCanvasElement).getContext("2d") as CanvasRenderingContext2D;
          return new Set(context.getImageData(0, 0, width, height).data).size;
        });
    await expect.poll(colours).toBeGreaterThan(50);
    expect(await page.locator("section", { hasText: "What each query" }).locator("button[aria-pressed]").count()).toBe(
      6,
    );
    const [target] = await photosOf(1, 1);
    await page.locator("section", { hasText: "Draw into a photo" }).locator("input[type=file]").setInputFiles(target);
    await expect.poll(() => page.locator("section", { hasText: "Draw into a photo" }).locator("img").count()).toBe(3);
  });

  it.each(["light", "dark"] as const)(
    "on a phone, %s: nothing is cut off, and no rule of accessibility is broken",
    async (colorScheme) => {
      const page = await visit({ viewport: { width: 360, height: 740 }, colorScheme, hasTouch: true });
      await onePicture(page);
      await drop(page, [...(await photosOf(0, 1)), await nobody()]);
      await drawn(page, 1);
      const [wide, width] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      expect(wide).toBeLessThanOrEqual(width);
      await page.evaluate(axe.source);
      const violations = await page.evaluate(async () => {
        const { axe: checker } = window as unknown as {
          axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
        };
        return (await checker.run()).violations.map(
          ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`,
        );
      });
      expect(violations).toEqual([]);
    },
  );
});

/** A server keeps its identities from visit to visit. */
async function forgetEverybody(url: string): Promise<void> {
  const people = (await (await fetch(new URL("api/identities", url))).json()) as { id: string }[];
  for (const { id } of people) await fetch(new URL(`api/identities/${id}`, url), { method: "DELETE" });
}
