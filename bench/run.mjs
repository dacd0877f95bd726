// `npm run bench`: every benchmark in turn, each in a process of its own, peers between our own runs so that a busy or
// throttled machine disturbs both. Ratios are ours over theirs: below 1 we are faster. Writes results/bench.json.
// usage: run.mjs [name...] to run some only; the others keep their results, each with the commit it was measured at
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeAtomically } from "@omni-id/torch";
import { provenance } from "../packages/data/dist/provenance.js";
import { findLibtorch } from "../packages/torch/scripts/find-libtorch.mjs";
import { comparison, peerPython } from "./peer-python.mjs";

const here = (file) => fileURLToPath(new URL(file, import.meta.url));
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const THREADS = 2;

function json(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args.map(String), { encoding: "utf8", maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`${args[0]} ended with ${status}\n${stderr.split("\n").slice(-8).join("\n")}`);
  return JSON.parse(stdout.trim().split("\n").at(-1));
}
const ours = (file, ...args) => json(process.execPath, [here(file), ...args]);

let peer;
/** The Python to compare with, looked for once; says which torch that is. */
function findPython() {
  if (!peer) {
    const libtorch = findLibtorch();
    peer = peerPython(libtorch);
    process.stderr.write(`${comparison(peer, libtorch)}\n`);
  }
  return peer.python;
}

/** Our training step against a peer's, turn by turn; the first steps of each process warm up. */
function trainStep(precision) {
  const python = findPython();
  const [mine, theirs] = [[], []];
  let [peakMB, torch, pytorch] = [0, "", ""];
  for (let round = 0; round < 3; round++) {
    const a = ours("train-step.mjs", precision, THREADS, 8);
    const b = json(python, [here("peers/mtd_step.py"), precision, THREADS, 8]);
    mine.push(...a.seconds.slice(2));
    theirs.push(...b.seconds.slice(2));
    [peakMB, torch, pytorch] = [Math.max(peakMB, a.peakMB), a.torch, b.torch];
  }
  const [a, b] = [median(mine), median(theirs)];
  return { seconds: a, pytorchSeconds: b, ratio: a / b, peakMB, libtorch: torch, pytorch };
}

function againstJax() {
  const PEOPLE = 4;
  const a = median(ours("train-step.mjs", "float32", THREADS, 6).seconds.slice(2));
  const best = median(ours("train-step.mjs", "bfloat16", THREADS, 6).seconds.slice(2));
  const b = (median(ours("peers/jax_step.mjs", PEOPLE, 5).seconds.slice(2)) * 16) / PEOPLE;
  const note = `jax-js: forward and backward of ${PEOPLE} of 16 people, scaled; the whole batch exceeds its 4 GiB`;
  return { seconds: best, float32Seconds: a, jaxSeconds: b, ratio: best / b, float32Ratio: a / b, note };
}

/** FLUX-nano's training step and sampling step against PyTorch, turn by turn. */
function fluxNano(precision) {
  const python = findPython();
  const [mine, theirs] = [[], []];
  for (let round = 0; round < 3; round++) {
    mine.push(ours("flux-nano.mjs", precision, THREADS, 6));
    theirs.push(json(python, [here("peers/flux_nano.py"), precision, THREADS, 6]));
  }
  const seconds = (runs, key) => median(runs.flatMap((run) => run[key].slice(2)));
  const [a, b] = [seconds(mine, "seconds"), seconds(theirs, "seconds")];
  const [c, d] = [seconds(mine, "samplingSeconds"), seconds(theirs, "samplingSeconds")];
  const peakMB = Math.max(...mine.map((run) => run.peakMB));
  return {
    seconds: a,
    pytorchSeconds: b,
    ratio: a / b,
    samplingSeconds: c,
    pytorchSamplingSeconds: d,
    samplingRatio: c / d,
    peakMB,
    libtorch: mine[0].torch,
    pytorch: theirs[0].torch,
  };
}

function checkpoints() {
  const [without, withThem] = [ours("checkpoint.mjs", "off"), ours("checkpoint.mjs", "on")];
  const activations = ({ peakMB, weightsMB }) => peakMB - weightsMB;
  return {
    seconds: without.seconds,
    checkpointedSeconds: withThem.seconds,
    peakMB: without.peakMB,
    checkpointedPeakMB: withThem.peakMB,
    ratio: activations(withThem) / activations(without),
  };
}

/** Two processes against one on the same cores, ours and PyTorch's DDP, turn by turn. */
function dataParallel() {
  const python = findPython();
  const rounds = [0, 1, 2].map(() => [
    ours("data-parallel.mjs", THREADS, 8),
    json(python, [here("peers/ddp.py"), THREADS, 8]),
  ]);
  const of = (who, key) => median(rounds.map((round) => round[who][key]));
  const [seconds, alone, ddp, ddpAlone] = [
    of(0, "seconds"),
    of(0, "aloneSeconds"),
    of(1, "seconds"),
    of(1, "aloneSeconds"),
  ];
  return {
    seconds,
    aloneSeconds: alone,
    ddpSeconds: ddp,
    ddpAloneSeconds: ddpAlone,
    againstOne: seconds / alone,
    ddpAgainstOne: ddp / ddpAlone,
    ratio: seconds / ddp,
    hidden: of(0, "hidden"),
    bytes: of(0, "bytes"),
    libtorch: rounds[0][0].torch,
    pytorch: rounds[0][1].torch,
  };
}

function dispatch() {
  const a = ours("dispatch.mjs").microseconds;
  const { microseconds: b, torch } = json(findPython(), [here("peers/dispatch.py")]);
  return { microseconds: a, pytorchMicroseconds: b, ratio: a / b, pytorch: torch };
}

/** The same frames for both, twice in turn. */
function faceAnalysis() {
  const folder = mkdtempSync(join(tmpdir(), "omni-id-frames-"));
  try {
    ours("curate.mjs", "frames", folder);
    const rounds = [0, 1].map(() => [ours("curate.mjs", "faces", folder), ours("peers/face_api.mjs", folder, THREADS)]);
    const [a, b] = [0, 1].map((who) => Math.min(...rounds.map((round) => round[who].milliseconds)));
    const [[mine, theirs]] = rounds;
    return {
      milliseconds: a,
      faceApiMilliseconds: b,
      timesFaster: b / a,
      recall: mine.recall,
      faceApiRecall: theirs.recall,
      faces: mine.faces,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function curationMemory() {
  const [short, long] = [60, 600].map((seconds) => ours("curate.mjs", "memory", seconds));
  return {
    peakMB: long.peakMB,
    peakMBOfOneMinute: short.peakMB,
    ratio: long.peakMB / short.peakMB,
    frames: long.frames,
  };
}

/** The loader's threads against plain decoding on the same cores, turn by turn, on one core and on all that are used. */
function streaming() {
  const folder = mkdtempSync(join(tmpdir(), "omni-id-stream-"));
  const on = (cores, mode) => {
    const pinned = ["-c", cores === 1 ? "0" : `0-${cores - 1}`, process.execPath, here("loader.mjs")];
    return json("taskset", [...pinned, mode, folder, cores]).perSecond;
  };
  try {
    ours("loader.mjs", "make", folder);
    const cores = [1, THREADS];
    const rounds = [0, 1, 2].map(() => cores.map((count) => [on(count, "plain"), on(count, "stream")]));
    const of = (core, who) => median(rounds.map((round) => round[core][who]));
    const share = (core) => median(rounds.map((round) => round[core][1] / round[core][0]));
    return {
      streamedPerSecond: of(1, 1),
      plainPerSecond: of(1, 0),
      share: share(1),
      shareOfOneCore: share(0),
      growth: median(rounds.map(([one, all]) => all[1] / one[1])),
      plainGrowth: median(rounds.map(([one, all]) => all[0] / one[0])),
      cores: THREADS,
      side: 224,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const benchmarks = {
  "train step, bfloat16": { run: () => trainStep("bfloat16"), goal: ["ratio", "≤", 0.75] },
  "train step, float32": { run: () => trainStep("float32"), goal: ["ratio", "≤", 0.9] },
  "train step against jax-js": { run: againstJax, goal: ["ratio", "≤", 0.05] },
  "FLUX-nano step, bfloat16": { run: () => fluxNano("bfloat16"), goal: ["ratio", "≤", 0.9] },
  "FLUX-nano step, float32": { run: () => fluxNano("float32"), goal: ["ratio", "≤", 1] },
  "FLUX block at paper width": { run: () => ours("flux-block.mjs"), goal: ["share", "≥", 0.7] },
  "autoencoder decode, 512 px": { run: () => ours("autoencoder.mjs") },
  "solvers, by evaluations": { run: () => ours("solvers.mjs") },
  "activation checkpoints": { run: checkpoints },
  "CLIP-H forward": { run: () => ours("clip-h.mjs"), goal: ["share", "≥", 0.7] },
  "data parallelism, two processes": { run: dataParallel },
  dispatch: { run: dispatch },
  "fused kernels": { run: () => ours("../packages/torch/bench/kernels.mjs", "--json") },
  "encode, three photos": { run: () => ours("encode.mjs") },
  "commands that must be quick": { run: () => ours("quick.mjs"), goal: ["seconds", "≤", 0.6] },
  rendering: { run: () => ours("render.mjs") },
  curation: { run: () => ours("curate.mjs", "speed") },
  "curation memory, 10 minutes": { run: curationMemory, goal: ["ratio", "≤", 1.1] },
  "streamed pictures": { run: streaming, goal: ["share", "≥", 0.8] },
  "face analysis against face-api": { run: faceAnalysis, goal: ["timesFaster", "≥", 5] },
};

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !(name in benchmarks));
if (unknown) {
  console.error(`no benchmark "${unknown}"; there are: ${Object.keys(benchmarks).join(", ")}`);
  process.exit(2);
}
const names = wanted.length > 0 ? wanted : Object.keys(benchmarks);
const { seed: _, ...machine } = provenance(0);
const file = here("../results/bench.json");
const results = {};
let failed = false;
for (const name of names) {
  process.stderr.write(`${name} …\n`);
  try {
    const { run, goal } = benchmarks[name];
    const result = run();
    const met = goal && (goal[1] === "≤" ? result[goal[0]] <= goal[2] : result[goal[0]] >= goal[2]);
    results[name] = goal ? { ...result, goal: `${goal.join(" ")}: ${met ? "met" : "missed"}` } : result;
  } catch (error) {
    results[name] = { skipped: error.message };
    failed = true;
  }
  console.log(`${name}: ${summary(results[name])}`);
  const { commit, hardware, date } = machine;
  Object.assign(results[name], { commit, hardware, date });
}
mkdirSync(here("../results"), { recursive: true });
const before = wanted.length > 0 ? JSON.parse(readOr(file, '{"results":{}}')).results : {};
writeAtomically(file, `${JSON.stringify({ ...machine, results: { ...before, ...results } }, null, 2)}\n`);
console.error(`written: ${file}`);
process.exitCode = failed ? 1 : 0;

function readOr(path, otherwise) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return otherwise;
  }
}

function summary(result) {
  if (result.skipped) return `skipped: ${result.skipped}`;
  if (result.rows?.[0]?.evaluations) {
    return result.rows
      .map((r) => `${r.evaluations}: euler ${r.euler.toFixed(4)} dpm ${r.dpm.toFixed(4)} heun ${r.heun.toFixed(4)}`)
      .join(" · ");
  }
  if (result.rows) return result.rows.map((r) => `${r.name} ${r.precision} ${r.ratio.toFixed(2)}`).join(" · ");
  const show = (value) => (typeof value === "number" ? Number(value.toPrecision(4)) : JSON.stringify(value));
  return Object.entries(result)
    .map(([key, value]) => `${key} ${typeof value === "string" ? value : show(value)}`)
    .join(" · ");
}
