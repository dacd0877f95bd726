import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { version } from "@omni-id/torch";
import { expect, test } from "vitest";

const script = (name: string) => fileURLToPath(new URL(`../scripts/${name}`, import.meta.url));

test("schemas are read", async () => {
  const { parseSchema } = (await import(script("schema.mjs"))) as { parseSchema(text: string): unknown };
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
