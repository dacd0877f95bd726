import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { writeAtomically } from "@omni-id/torch";
import { PAGE_HEADERS } from "./server/headers.ts";

/** ONNX Runtime's WebAssembly: for processors, and for graphics cards. A visitor fetches one of the two. */
const RUNTIMES = ["ort-wasm-simd-threaded", "ort-wasm-simd-threaded.asyncify"];
const PLACE = "studio.json";

/** Where the built page lies. */
export const builtPage = (): string => fileURLToPath(new URL("page", import.meta.url).href.replace("/src/", "/dist/"));

/**
 * Writes the page of browser mode beside the models of an export: a folder that any web server can serve. What an earlier
 * export wrote there is replaced.
 * @throws when the page is not built
 */
export async function writePage(folder: string): Promise<void> {
  const page = builtPage();
  if (!existsSync(join(page, "index.html"))) throw new Error("the studio's page is not built yet; run: npm run setup");
  mkdirSync(join(folder, "ort"), { recursive: true });
  if (existsSync(join(folder, PLACE))) rmSync(join(folder, "assets"), { recursive: true, force: true });
  cpSync(page, folder, { recursive: true });
  const { resolve } = createRequire(import.meta.url);
  const runtime = dirname(resolve("onnxruntime-web/wasm"));
  for (const name of RUNTIMES) {
    writeAtomically(join(folder, "ort", `${name}.mjs`), readFileSync(join(runtime, `${name}.mjs`)));
    writeAtomically(
      join(folder, "ort", `${name}.wasm.gz`),
      gzipSync(readFileSync(join(runtime, `${name}.wasm`)), { level: 9 }),
    );
  }
  const heic = readFileSync(resolve("libheif-js/libheif-wasm/libheif.wasm"));
  writeAtomically(join(folder, "ort/libheif.wasm.gz"), gzipSync(heic, { level: 9 }));
  writeAtomically(join(folder, PLACE), `${JSON.stringify({ engine: "browser" })}\n`);
  writeAtomically(join(folder, "_headers"), hostHeaders());
  // Visitors keep all files by the name of the build: another one is another name.
  const worker = readFileSync(join(page, "sw.js"), "utf8").replace("VERSION", fingerprint(folder));
  writeAtomically(join(folder, "sw.js"), worker);
}

/** Headers as Netlify, Cloudflare Pages and others read them. */
function hostHeaders(): string {
  return `/*\n${Object.entries(PAGE_HEADERS)
    .map(([name, value]) => `  ${name}: ${value}\n`)
    .join("")}`;
}

/** Of all files but the service worker itself. */
function fingerprint(folder: string): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
    const file = join(folder, name);
    if (name !== "sw.js" && statSync(file).isFile()) hash.update(name).update(readFileSync(file));
  }
  return hash.digest("hex").slice(0, 16);
}
