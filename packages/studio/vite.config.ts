import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import { CONTENT_POLICY } from "./src/server/headers.ts";

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** The policy in the page itself: it holds on servers that send no headers too. */
const policy: Plugin = {
  name: "content-policy",
  transformIndexHtml: {
    order: "post",
    handler: () => [
      {
        tag: "meta",
        attrs: { "http-equiv": "content-security-policy", content: CONTENT_POLICY },
        injectTo: "head-prepend",
      },
    ],
  },
};

/** Tells the service worker which files make the page. */
const shell: Plugin = {
  name: "service-worker-shell",
  closeBundle() {
    const out = here("dist/page");
    const files = readdirSync(out, { recursive: true, encoding: "utf8" })
      .map((name) => relative(out, join(out, name)))
      .filter((name) => statSync(join(out, name)).isFile() && name !== "sw.js")
      .sort();
    const worker = join(out, "sw.js");
    const before = readFileSync(worker, "utf8");
    const after = before.replace(/JSON\.parse\((["'`])SHELL\1\)/, JSON.stringify(files));
    if (after === before) throw new Error("sw.js: the place for the list of the page's files is not there");
    writeFileSync(worker, after);
  },
};

export default defineConfig({
  root: here("page"),
  base: "./",
  plugins: [policy, shell],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  // ONNX Runtime's WebAssembly is fetched by its worker, and not built into the page.
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser", "production"] },
  worker: { format: "es" },
  build: {
    outDir: here("dist/page"),
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rollupOptions: {
      input: { index: here("page/index.html"), sw: here("page/worker/sw.ts") },
      output: { entryFileNames: ({ name }) => (name === "sw" ? "sw.js" : "assets/[name]-[hash].js") },
    },
  },
});
