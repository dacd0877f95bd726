import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type StaticHost, serveExport, startStudio } from "@omni-id/studio";
import { writePage } from "@omni-id/studio/page";
import { type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";

/** Where Debian's chromium lies; `npm run test:studio` installs it. */
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

export type Mode = "server" | "browser";

/** The page in one of its two modes. */
export interface Opened {
  mode: Mode;
  url: string;
  /** What the host of an export was asked for. */
  host?: StaticHost;
  /** A visitor who has been here never before. */
  visit(options?: BrowserContextOptions): Promise<{ page: Page; context: BrowserContext }>;
  close(): Promise<void>;
}

/** The folder of an export with real models, written once by `npm run test:studio`. */
const EXPORT = process.env.STUDIO_EXPORT ?? "";

export async function openMode(mode: Mode): Promise<Opened> {
  const folder = mkdtempSync(join(tmpdir(), "omni-id-studio-page-"));
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  let url: string;
  let host: StaticHost | undefined;
  let stop: () => Promise<void>;
  if (mode === "server") {
    const places = { runs: join(folder, "runs"), sets: [join(folder, "sets")], results: join(folder, "results") };
    const studio = await startStudio({ port: 0, identities: join(folder, "people"), places });
    ({ url, close: stop } = studio);
  } else {
    if (!existsSync(join(EXPORT, "models/manifest.json"))) {
      throw new Error("these tests need an export; run them by: npm run test:studio");
    }
    await writePage(EXPORT);
    // A host that sends no header: the page must make do.
    host = await serveExport(EXPORT, { headers: false });
    ({ url, close: stop } = host);
  }
  return {
    mode,
    url,
    host,
    visit: async (options) => {
      const context = await browser.newContext({ acceptDownloads: true, ...options });
      const page = await context.newPage();
      return { page, context };
    },
    close: async () => {
      await browser.close();
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The page, and its models there. */
export async function ready(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.waitForSelector(".studio");
  await page.waitForFunction(() => document.querySelector(".opening") === null);
  await page.waitForFunction(() => document.querySelector("select") !== null);
}

export interface FileForPage {
  name: string;
  mimeType: string;
  buffer: Buffer;
}

/** Files dropped onto the page, as from a file manager. */
export async function drop(page: Page, files: readonly FileForPage[]): Promise<void> {
  const given = files.map(({ name, mimeType, buffer }) => ({ name, mimeType, base64: buffer.toString("base64") }));
  await page.evaluate((all) => {
    const transfer = new DataTransfer();
    for (const { name, mimeType, base64 } of all) {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      transfer.items.add(new File([bytes], name, { type: mimeType }));
    }
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }, given);
}

/** Waits until what was dropped has become an identity, and its pictures are there. */
export async function drawn(page: Page, pictures = 4): Promise<void> {
  await page.waitForFunction(
    (count) =>
      document.querySelectorAll(".pictures:not(.coming) img").length === count &&
      document.querySelector(".progress") === null,
    pictures,
  );
}

/** Asks for one picture a time: quicker than four, where four are not the point. */
export async function onePicture(page: Page): Promise<void> {
  const field = page.getByRole("spinbutton", { name: "Pictures" });
  await field.fill("1");
  await field.press("Enter");
  await field.blur();
}

/** The pixels of the pictures that the page shows, RGB. */
export function pixels(page: Page): Promise<number[][]> {
  return page.evaluate(async () => {
    const images = [...document.querySelectorAll<HTMLImageElement>(".pictures img")];
    return Promise.all(
      images.map(async (image) => {
        await image.decode();
        const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
        const context = canvas.getContext("2d") as OffscreenCanvasRenderingContext2D;
        context.drawImage(image, 0, 0);
        const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
        return [...data].filter((_, i) => i % 4 < 3);
      }),
    );
  });
}
