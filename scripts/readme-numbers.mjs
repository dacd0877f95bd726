// Fills the tables between `<!-- numbers:NAME -->` and `<!-- /numbers:NAME -->` in README.md, docs and the model cards
// from results/*.json, so that no number is typed by hand. Plain Node, no dependencies.
// usage: readme-numbers.mjs [--check]     --check writes nothing and fails where a table is stale
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TABLES } from "./number-tables.mjs";

/** The text that stands between the markers of a table. */
export function renderTable(name, results) {
  const { file, command, render, needs = [] } = TABLES[name];
  const path = join(results, file);
  if (!existsSync(path)) return `_Not measured yet: \`${command}\`_`;
  const report = JSON.parse(readFileSync(path, "utf8"));
  if (needs.some((key) => report[key] === undefined)) {
    return `_Measured by an older version, in another way; not measured again yet: \`${command}\`_`;
  }
  return render(report, command).join("\n\n");
}

/** A document with all its tables filled. @throws for a marker that is unknown or not closed */
export function fill(text, results) {
  const filled = text.replaceAll(/<!-- numbers:([\w-]+) -->\n(?:[\s\S]*?\n)??<!-- \/numbers:\1 -->/g, (_, name) => {
    if (!TABLES[name]) throw new Error(`there is no table "${name}"; known: ${Object.keys(TABLES).join(", ")}`);
    return `<!-- numbers:${name} -->\n\n${renderTable(name, results)}\n\n<!-- /numbers:${name} -->`;
  });
  const open = filled.match(/<!-- numbers:/g)?.length ?? 0;
  const closed = filled.match(/<!-- \/numbers:/g)?.length ?? 0;
  if (open !== closed) throw new Error("a table of numbers is opened and not closed, or the other way round");
  return filled;
}

/** What does not fit together: numbers of other weights, cards of other files. */
export function inconsistencies(root) {
  const weights = join(root, "weights/nano");
  const hash = (file) => createHash("sha256").update(readFileSync(file)).digest("hex");
  const found = [];
  const encoder = join(weights, "omni-id-encoder.safetensors");
  for (const name of ["first-stage.json", "generation.json", "real-photos.json", "real-people.json"]) {
    const path = join(root, "results", name);
    if (!existsSync(path) || !existsSync(encoder)) continue;
    const report = JSON.parse(readFileSync(path, "utf8"));
    const told = report.weights ?? report.shipped?.weights;
    if (!told) continue; // what was trained on real people does not ship
    const measured = told.encoder ?? told;
    if (measured.endsWith(hash(encoder).slice(0, 8))) continue;
    found.push(`results/${name} was measured on other weights (${measured}) than those in weights/nano`);
  }
  for (const folder of ["weights/nano", "weights/nano-scenes"]) {
    const cards = existsSync(join(root, folder)) ? readdirSync(join(root, folder)) : [];
    for (const card of cards.filter((name) => name.endsWith(".md"))) {
      const file = join(root, folder, card.replace(/\.md$/, ".safetensors"));
      if (existsSync(file) && readFileSync(join(root, folder, card), "utf8").includes(hash(file))) continue;
      found.push(`${folder}/${card} is the card of another file; write it with: npx omni-id export`);
    }
  }
  return found;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const check = process.argv.includes("--check");
  const markdown = (folder) =>
    existsSync(join(root, folder)) ? readdirSync(join(root, folder)).filter((name) => name.endsWith(".md")) : [];
  const documents = ["README.md", ...["docs", "weights/nano"].flatMap((f) => markdown(f).map((name) => join(f, name)))];
  let wrong = 0;
  for (const name of documents) {
    const before = readFileSync(join(root, name), "utf8");
    const after = fill(before, join(root, "results"));
    if (after === before) continue;
    if (check) {
      wrong++;
      console.error(`${name} is stale: run npm run numbers`);
    } else {
      writeFileSync(join(root, name), after);
      console.log(`filled ${name}`);
    }
  }
  for (const text of inconsistencies(root)) {
    wrong++;
    console.error(text);
  }
  process.exitCode = wrong > 0 ? 1 : 0;
}
