import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { version } from "@omni-id/torch";
import { expect, test } from "vitest";
import { native } from "../src/native.ts";

interface Parameter {
  name: string;
  type: string;
  list: boolean;
  optional: boolean;
  hasDefault: boolean;
}
interface Schema {
  name: string;
  parameters: Parameter[];
  results: { type: string; list: boolean }[];
}

const script = (name: string) => fileURLToPath(new URL(`../scripts/${name}`, import.meta.url));
const { parseSchema } = (await import(script("schema.mjs"))) as { parseSchema(text: string): Schema };

test("schemas are read", () => {
  expect(
    parseSchema(
      "aten::sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    ),
  ).toMatchObject({
    name: "aten::sum.dim_IntList",
    parameters: [
      { name: "self", type: "Tensor", optional: false },
      { name: "dim", type: "int", list: true, fixedLength: 1, optional: true, hasDefault: false },
      { name: "keepdim", hasDefault: true, keywordOnly: false },
      { name: "dtype", type: "ScalarType", keywordOnly: true },
    ],
  });
  expect(parseSchema("aten::relu_(Tensor(a!) self) -> Tensor(a!)")).toMatchObject({ parameters: [{ writes: true }] });
  expect(parseSchema("aten::sort(Tensor self, SymInt dim=-1) -> (Tensor values, Tensor indices)")).toMatchObject({
    parameters: [{}, { type: "int" }],
    results: [{ name: "values" }, { name: "indices" }],
  });
});

test("the generated wrappers are those the schemas give", () => {
  // Committed from 1.13: newer versions register a few defaults more, which the wrappers need not know.
  if (version().libtorch.startsWith("1.13")) execFileSync(process.execPath, [script("generate.mjs"), "--check"]);
});

/** What a caller by position relies on. A number may stand where an int stood; a default may be new. */
const shapeOf = ({ name, type, list }: Parameter) => `${name}: ${type === "Scalar" ? "int" : type}${list ? "[]" : ""}`;

test("this LibTorch takes every operator that the sources call as the one did that they were written for", () => {
  const registered = new Map(native.schemas().map((text) => [text.slice(0, text.indexOf("(")), text]));
  const texts = readFileSync(new URL("fixtures/schemas.txt", import.meta.url), "utf8")
    .trim()
    .split("\n");
  expect(texts.length).toBeGreaterThan(250);
  const misfits = texts.flatMap((text) => {
    const wanted = parseSchema(text);
    const found = registered.get(wanted.name);
    if (!found) return [`${wanted.name} is not registered`];
    const { parameters, results } = parseSchema(found);
    const further = parameters.slice(wanted.parameters.length);
    const fits =
      wanted.parameters.every((parameter, i) => parameters[i] && shapeOf(parameter) === shapeOf(parameters[i])) &&
      further.every(({ hasDefault }) => hasDefault) &&
      results.length === wanted.results.length &&
      results.every(({ type, list }, i) => type === wanted.results[i].type && list === wanted.results[i].list);
    return fits ? [] : [`${text}\n  is now ${found}`];
  });
  expect(misfits).toEqual([]);
});
