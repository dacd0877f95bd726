#!/usr/bin/env node
// Runs the ONNX standard's own node tests through importOnnx and says which operators are refused.
//
//   npm run test:onnx -- [FOLDER] [--doc FILE] [NAME …]
//
// FOLDER holds one folder a test (model.onnx, test_data_set_0/*.pb). When absent: that of Debian's package
// libonnx-testdata. `--doc` writes the list between the marks of a Markdown file. NAMEs choose tests.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const DEBIAN = "/usr/share/libonnx-testdata/data/node";
const dist = (file) => new URL(`../dist/${file}`, import.meta.url).href;
const { importOnnx, noGrad, scope } = await import(dist("index.js"));
const { messageType } = await import(dist("onnx/proto.js"));
const { toTensor } = await import(dist("onnx/tensor-proto.js"));

/** A tensor of a test; undefined for sequences and other things that are no tensors. */
function readValue(path) {
  const proto = messageType("TensorProto").decode(readFileSync(path));
  return proto.dataType === 0 ? undefined : toTensor(path, proto);
}

function readValues(folder, kind) {
  const files = readdirSync(folder).filter((name) => name.startsWith(kind));
  return files.map((_, i) => readValue(join(folder, `${kind}_${i}.pb`)));
}

function difference(got, wanted) {
  if (got.shape.join() !== wanted.shape.join()) return `shape [${got.shape}], expected [${wanted.shape}]`;
  if (got.dtype !== wanted.dtype) return `${got.dtype}, expected ${wanted.dtype}`;
  const [a, b] = [got.toTypedArray(), wanted.toTypedArray()];
  const slack = wanted.dtype.includes("16") ? 1e-2 : 1e-5;
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [Number(a[i]), Number(b[i])];
    if (Object.is(x, y) || x === y || (Number.isNaN(x) && Number.isNaN(y))) continue;
    if (!(Math.abs(x - y) <= slack + slack * 100 * Math.abs(y))) return `${x} at ${i}, expected ${y}`;
  }
  return undefined;
}

/** "passed", "refused" (we say that we do not have it) or "wrong", with the reason. */
function runTest(folder) {
  let model;
  try {
    model = importOnnx(join(folder, "model.onnx"));
  } catch (error) {
    return { result: "refused", reason: error.message };
  }
  for (const name of readdirSync(folder).filter((one) => one.startsWith("test_data_set"))) {
    let inputs;
    let outputs;
    try {
      inputs = readValues(join(folder, name), "input");
      outputs = readValues(join(folder, name), "output");
    } catch (error) {
      return { result: "refused", reason: error.message };
    }
    if ([...inputs, ...outputs].includes(undefined)) return { result: "refused", reason: "its values are no tensors" };
    try {
      const feeds = Object.fromEntries(inputs.map((value, i) => [model.inputs[i], value]));
      const got = noGrad(() => model.run(feeds, model.outputs));
      for (const [i, output] of model.outputs.entries()) {
        const problem = difference(got[output], outputs[i]);
        if (problem) return { result: "wrong", reason: `${output}: ${problem}` };
      }
    } catch (error) {
      return { result: "refused", reason: error.message };
    }
  }
  return { result: "passed" };
}

/** Where we follow onnxruntime and PyTorch rather than the standard's text, and say so. */
const KNOWN = new Map(
  ["cubic", "linear"].map((mode) => [
    `test_resize_downsample_scales_${mode}_align_corners`,
    "align_corners reaches the last whole pixel, as in onnxruntime and PyTorch; the standard reckons with a part of one",
  ]),
);

/** The operators of a test's model: what stands in the list. */
function operatorsOf(folder) {
  const model = messageType("ModelProto").decode(readFileSync(join(folder, "model.onnx")));
  return [...new Set(model.graph.node.map(({ opType, domain }) => (domain ? `${domain}.${opType}` : opType)))];
}

const args = process.argv.slice(2);
const doc = args.includes("--doc") ? args.splice(args.indexOf("--doc"), 2)[1] : undefined;
const root = args[0] && existsSync(args[0]) ? args.shift() : DEBIAN;
if (!existsSync(root)) {
  process.stderr.write(
    `${root}: no node tests there; get them by \`apt-get install libonnx-testdata\`, or name a folder\n`,
  );
  process.exit(2);
}
const names = readdirSync(root).filter((name) => args.length === 0 || args.some((part) => name.includes(part)));
const rows = names
  .filter((name) => existsSync(join(root, name, "model.onnx")))
  .map((name) => scope(() => ({ name, ...runTest(join(root, name)) })))
  .map((row) => (row.result === "wrong" && KNOWN.has(row.name) ? { ...row, result: "known" } : row));
const of = (result) => rows.filter((row) => row.result === result);
const short = (reason) =>
  reason
    .replace(/^.*(model\.onnx|\.pb): /, "")
    .replace(/^node .*? \((\w+)\): /, "$1: ")
    .replace(/^tensor "[^"]*"( has|:)|^a constant( has|:)/, "a tensor$1$2")
    .replace(/; expected float32, .*$/, "")
    .replace(/(aten::\w+)\(.*\): /, "$1: ");
for (const { name, reason } of of("wrong")) process.stdout.write(`WRONG   ${name}: ${short(reason)}\n`);
const reasons = new Map();
for (const { name, reason } of of("refused")) {
  const key = short(reason).replace(/ \(node [^)]*\)/g, "");
  reasons.set(key, [...(reasons.get(key) ?? []), name]);
}
const refused = [...reasons].sort(([, a], [, b]) => b.length - a.length);
for (const [reason, tests] of refused)
  process.stdout.write(
    `refused ${String(tests.length).padStart(3)} ${reason}   ${tests.slice(0, args.length ? 99 : 1)}\n`,
  );
const counts = ["refused", "known", "wrong"].map((result) => of(result).length);
const total = `${of("passed").length} of ${rows.length} passed, ${counts[0]} refused, ${counts[1]} known to differ, ${counts[2]} wrong`;
process.stdout.write(`${total}\n`);
if (doc) {
  const lacking = new Map();
  for (const { name, reason } of of("refused")) {
    for (const op of operatorsOf(join(root, name)))
      if (reason.includes(`${op} (node`)) lacking.set(op, (lacking.get(op) ?? 0) + 1);
  }
  const parts = refused.filter(([reason]) => !reason.startsWith("importOnnx does not have"));
  const text = [
    `${total}.`,
    "",
    `Operators that are not there: ${[...lacking.keys()].sort().join(", ")}.`,
    "",
    "Of operators that are there, refused with an error that says so:",
    "",
    ...parts.map(([reason, tests]) => `- ${reason} (${tests.length})`),
    "",
    "Known to differ:",
    "",
    ...of("known").map(({ name }) => `- ${name}: ${KNOWN.get(name)}`),
  ].join("\n");
  const file = readFileSync(doc, "utf8");
  writeFileSync(
    doc,
    file.replace(/(<!-- onnx-node-tests -->)[\s\S]*(<!-- \/onnx-node-tests -->)/, `$1\n\n${text}\n\n$2`),
  );
}
process.exit(of("wrong").length > 0 ? 1 : 0);
