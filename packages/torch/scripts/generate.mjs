// Writes src/generated/*.generated.ts: typed wrappers for the operators listed in operators.mjs, made from the
// schemas that LibTorch registers; and test/fixtures/schemas.txt, the schemas of all operators that the sources call,
// by which a test finds out whether another LibTorch takes them the same way. Run it on LibTorch 1.13, the oldest.
// `--check` writes nothing and fails when the files are not what would be written.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";
import { functions, methods } from "./operators.mjs";
import { parseSchema } from "./schema.mjs";

const native = createRequire(import.meta.url)("../build/Release/torch_native.node");
const schemas = new Map(native.schemas().map((text) => [text.slice(0, text.indexOf("(")), text]));

const camel = (name) => name.replace(/(?<=[a-z0-9])_([a-z0-9])/g, (_, c) => c.toUpperCase());
/** Arguments nobody here needs: always left at their defaults. */
const hidden = new Set([
  "layout",
  "pin_memory",
  "non_blocking",
  "sparse",
  "cudnn_enable",
  "cudnn_enabled",
  "out_int32",
  "implicit",
]);

const scalarTypes = {
  int: "number",
  float: "number",
  Scalar: "number",
  bool: "boolean",
  str: "string",
  ScalarType: "DType",
  Device: "string",
  MemoryFormat: "MemoryFormat",
  Generator: "GeneratorHandle",
};
/** How the class that is written says "a tensor": methods know it as `this`, since the class of all is above them. */
let tensorType = "Tensor";
function typeOf(p) {
  const base = p.type === "Tensor" ? tensorType : scalarTypes[p.type];
  if (!base) throw new Error(`no TypeScript type for schema type ${p.type}`);
  if (p.list) {
    const list = p.elementOptional ? `readonly (${base} | null)[]` : `readonly ${base}[]`;
    return p.fixedLength > 0 ? `${base} | ${list}` : list;
  }
  return base;
}
/** The expression that hands a parameter to the addon. */
function pass(p, name) {
  if (p.type === "Generator") return `${name}?.native`;
  if (p.type !== "Tensor") return name;
  if (p.list) return p.elementOptional ? `optionalHandles(${name})` : `handles(${name})`;
  return p.optional || p.hasDefault ? `optionalHandle(${name})` : `${name}.handle`;
}

function find(overload) {
  const text = schemas.get(`aten::${overload}`);
  if (!text) throw new Error(`aten::${overload} is not registered in this LibTorch`);
  return parseSchema(text);
}

function plan(name, spec) {
  const { overload, positional = [], required = [] } = typeof spec === "string" ? { overload: spec } : spec;
  const [main, forNumber] = overload.split("|").map((s) => find(s.trim()));
  const shown = main.parameters.filter((p) => !hidden.has(p.name));
  const operand =
    forNumber &&
    main.parameters.find((p, i) => p.type === "Tensor" && i > 0 && forNumber.parameters[i]?.type !== "Tensor");
  if (forNumber && !operand) throw new Error(`${name}: the overloads do not differ in one operand`);
  const isRequired = (p) => required.includes(p.name) || (!p.hasDefault && !p.keywordOnly && !p.optional);
  const byPosition = (p) => p.name === "dim" || p.type === "Tensor" || positional.includes(p.name);
  return {
    name: camel(name),
    main,
    forNumber,
    operand,
    required: shown.slice(1).filter(isRequired),
    optional: shown.slice(1).filter((p) => !isRequired(p) && byPosition(p) && !(p.keywordOnly && p.name !== "dim")),
    options: shown.slice(1).filter((p) => !isRequired(p) && (!byPosition(p) || (p.keywordOnly && p.name !== "dim"))),
    inPlace: name.endsWith("_"),
  };
}

const operators = new Map(); // schema name -> constant
function operatorConstant(name) {
  if (!operators.has(name))
    operators.set(
      name,
      camel(
        name
          .replace("aten::", "")
          .replace(".", "_")
          .replace(/_(?=_|$)/g, "InPlace"),
      )
        .replace(/^_/, "")
        .concat("Op"),
    );
  return operators.get(name);
}

function signature({ required, optional, options, operand }, first) {
  const parts = first ? [first] : [];
  for (const p of required) parts.push(`${camel(p.name)}: ${p === operand ? `${tensorType} | number` : typeOf(p)}`);
  for (const p of optional) parts.push(`${camel(p.name)}?: ${typeOf(p)}${p.optional ? " | null" : ""}`);
  if (options.length > 0) {
    const names = options.map((p) => camel(p.name)).join(", ");
    const types = options.map((p) => `${camel(p.name)}?: ${typeOf(p)}`).join("; ");
    parts.push(`{ ${names} }: { ${types} } = {}`);
  }
  return parts.join(", ");
}

function call(schema, p, self, operandAsNumber) {
  const args = schema.parameters.slice(1).map((parameter, i) => {
    if (hidden.has(parameter.name)) return "undefined";
    const ours = p.main.parameters[i + 1] ?? parameter; // the number overload may name its operand differently
    const name = camel(ours.name);
    if (ours === p.operand) return operandAsNumber ? name : `${name}.handle`;
    return pass(parameter, name);
  });
  while (args.at(-1) === "undefined") args.pop();
  return `call(${[`${operatorConstant(schema.name)}.id`, self, ...args].join(", ")})`;
}

const single = (r) => r.length === 1 && r[0].type === "Tensor" && !r[0].list;
function resultType({ main, inPlace }) {
  if (inPlace) return "this";
  const r = main.results;
  if (single(r)) return tensorType;
  if (r.length === 1) return `${tensorType}[]`;
  return `[${r.map(() => tensorType).join(", ")}]`;
}

function body(p, self) {
  const form = (schema, operandAsNumber) => {
    const c = call(schema, p, self, operandAsNumber);
    if (p.inPlace) return c;
    if (single(p.main.results)) return `wrap(${c})`;
    return p.main.results.length === 1 ? `wrapList(${c})` : `wrapList(${c}) as ${resultType(p)}`;
  };
  const expression = p.operand
    ? `typeof ${camel(p.operand.name)} === "number"\n      ? ${form(p.forNumber, true)}\n      : ${form(p.main, false)}`
    : form(p.main, false);
  return p.inPlace
    ? `    ${p.operand ? `void (${expression})` : expression};\n    return inPlace(this);`
    : `    return ${expression};`;
}

const docOf = ({ main, forNumber }) => `\`${main.name}\`${forNumber ? ` or \`${forNumber.name}\` for a number` : ""}`;
const head = `// Generated by \`npm run generate\` from LibTorch's registered schemas. Do not edit: change scripts/operators.mjs.\n`;
const constants = (names) => names.map(([schema, name]) => `const ${name} = new Operator("${schema}");`).join("\n");

const helpers = ["call", "handles", "inPlace", "optionalHandle", "optionalHandles", "wrap", "wrapList"];
const importUsed = (text) =>
  `import { ${[...helpers.filter((name) => new RegExp(`\\b${name}\\(`).test(text)), "Operator"].sort().join(", ")} } from "../dispatch.ts";`;

function methodsFile() {
  operators.clear();
  tensorType = "this";
  const items = Object.entries(methods).map(([name, spec]) => {
    const p = plan(name, spec);
    return `  /** ${docOf(p)} */\n  ${p.name}(${signature(p)}): ${resultType(p)} {\n${body(p, "this.handle")}\n  }\n`;
  });
  return `${head}${importUsed(items.join(""))}
import type { DType, MemoryFormat } from "../dtype.ts";
import type { GeneratorHandle } from "../native.ts";
import { TensorHandle } from "../tensor-handle.ts";

${constants([...operators])}

export class TensorMethods extends TensorHandle {
${items.join("\n")}}
`;
}

function functionsFile() {
  operators.clear();
  tensorType = "Tensor";
  const items = Object.entries(functions).map(([name, spec]) => {
    const p = plan(name, spec);
    return `/** ${docOf(p)} */\nexport function ${p.name}(${signature(p, "input: Tensor")}): ${resultType(p)} {\n${body(p, "input.handle").replace(/^ {2}/gm, "")}\n}\n`;
  });
  return `${head}${importUsed(items.join(""))}
import type { DType } from "../dtype.ts";
import type { Tensor } from "../tensor.ts";

${constants([...operators])}

${items.join("\n")}`;
}

/** The schemas of what the sources call by name, wrapped or not; those that newer versions alone have are left out. */
function schemasFile() {
  const source = new URL("../src/", import.meta.url);
  const files = readdirSync(source, { recursive: true }).filter((name) => name.endsWith(".ts"));
  const names = files.flatMap((name) =>
    Array.from(readFileSync(new URL(name, source), "utf8").matchAll(/"(aten::[\w.]+)"/g), ([, operator]) => operator),
  );
  const known = [...new Set(names)].sort().filter((name) => schemas.has(name));
  return `${known.map((name) => schemas.get(name)).join("\n")}\n`;
}

const check = process.argv.includes("--check");
let stale = false;
function put(name, text) {
  const file = new URL(`../${name}`, import.meta.url);
  if (existsSync(file) && readFileSync(file, "utf8") === text) return;
  if (check) {
    console.error(`packages/torch/${name} is stale: run npm run generate -w packages/torch`);
    stale = true;
  } else {
    writeFileSync(file, text);
    console.log(`wrote ${name}`);
  }
}

put("src/generated/tensor-methods.generated.ts", methodsFile());
put("src/generated/functional.generated.ts", functionsFile());
put("test/fixtures/schemas.txt", schemasFile());
process.exitCode = stale ? 1 : 0;
