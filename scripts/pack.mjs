// Puts into a package, while npm packs it, what lies in the repository's root: the licence, and for `omni-id` the
// README and the shipped weights. npm runs it by itself (prepack, postpack) in the package's folder.
// usage: pack.mjs add|remove
import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const { name } = JSON.parse(readFileSync("package.json", "utf8"));
const parts = ["LICENSE", ...(name === "omni-id" ? ["README.md", "weights"] : [])];

for (const part of parts) {
  rmSync(part, { recursive: true, force: true });
  if (process.argv[2] === "add" && existsSync(join(root, part))) cpSync(join(root, part), part, { recursive: true });
}
