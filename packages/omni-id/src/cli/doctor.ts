import { accessSync, constants, existsSync, mkdirSync, readdirSync, statfsSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { assetsStatus, cacheFolder, modelFile, models } from "@omni-id/face/assets";
import { buildInfo, getNumThreads, preferredPrecision, type Version, version } from "@omni-id/torch";
import { encoderName, readWeightsNote } from "../weights/file.ts";
import { DECODER_FILE, ENCODER_FILE, shippedWeights } from "../weights/folder.ts";
import { jsonOption } from "./options.ts";
import { print } from "./output.ts";

interface Finding {
  what: string;
  ok: boolean;
  told: string;
  /** The command that mends it. */
  fix?: string;
}

/** Under this rate a 1024³ product shows that no fast BLAS is in place: the reference one does about 4. */
const SLOW_GFLOPS = 20;
/** What the training data of the nano preset, their cache and a run take. */
const ROOMY_GB = 3;

export function doctorCommand() {
  return new Command("doctor")
    .option("--full", "load LibTorch and the weights too, and measure matrix products: some seconds")
    .addOption(jsonOption())
    .addHelpText("after", "\nExit code 0: all is there; 1: something is missing.")
    .action(async (options) => {
      const engine = options.full ? await measuredEngine() : builtEngine();
      const findings = [...machine(), ...engine, ...assets()];
      if (!options.full || engine.every(({ ok }) => ok)) findings.push(await weights(options.full));
      const lines = findings.map(({ what, ok, told, fix }) => {
        const mend = ok || !fix ? "" : `\n      mend it with: ${fix}`;
        return `${ok ? "ok   " : "MISS "} ${what}: ${told}${mend}`;
      });
      print(findings, { json: options.json, text: lines.join("\n") });
      if (findings.some(({ ok }) => !ok)) throw new Error("something is missing; see above");
    });
}

function machine(): Finding[] {
  const [major, minor] = process.versions.node.split(".").map(Number);
  const { bavail, bsize } = statfsSync(".");
  const free = (bavail * bsize) / 1e9;
  return [
    {
      what: "Node",
      ok: major > 20 || (major === 20 && minor >= 9),
      told: process.version,
      fix: "install Node 20.9 or later",
    },
    { what: "memory", ok: true, told: `${(totalmem() / 1e9).toFixed(1)} GB` },
    {
      what: "free disk here",
      ok: free > ROOMY_GB,
      told: `${free.toFixed(1)} GB; training takes ${ROOMY_GB}`,
      fix: "work in a folder on a larger disk",
    },
    {
      what: "letters on pictures",
      ok: hasFont(),
      told: hasFont() ? "a font is there" : "no font: contact sheets would show boxes",
      fix: "sudo apt-get install -y fonts-dejavu-core",
    },
  ];
}

function hasFont(): boolean {
  const folder = "/usr/share/fonts";
  if (!existsSync(folder)) return false;
  return readdirSync(folder, { recursive: true }).some((name) => /\.(ttf|otf|ttc)$/i.test(String(name)));
}

const FAST_BLAS = "sudo apt-get install -y libopenblas0";
const cudaFinding = (cuda: boolean): Finding => ({
  what: "CUDA",
  ok: true,
  told: cuda ? "found; use it with --device cuda" : "none: --device cpu only",
});

/** What files tell of LibTorch: loading it is what takes time. */
function builtEngine(): Finding[] {
  const built = buildInfo();
  if (!built) return [{ what: "LibTorch", ok: false, told: "the native addon is not built", fix: "npm run setup" }];
  const { libtorch = "of an unknown version", missing, cuda, blas, fastBlas } = built;
  if (missing.length > 0) {
    const told = `${libtorch}, of which these libraries are missing: ${missing.join(", ")}`;
    return [{ what: "LibTorch", ok: false, told, fix: "npm run setup" }];
  }
  return [
    { what: "LibTorch", ok: true, told: `${libtorch}, ${availableParallelism()} threads` },
    cudaFinding(cuda),
    {
      what: "matrix products, float32",
      ok: fastBlas,
      told: `by ${blas}${fastBlas ? "; measured with: omni-id doctor --full" : ": no fast BLAS"}`,
      fix: FAST_BLAS,
    },
    { what: "matrix products, bfloat16", ok: true, told: `training uses ${preferredPrecision()}` },
  ];
}

/** LibTorch itself: loading it may be what fails. */
async function measuredEngine(): Promise<Finding[]> {
  let found: Version;
  try {
    found = version();
  } catch (error) {
    return [{ what: "LibTorch", ok: false, told: (error as Error).message, fix: "npm run setup" }];
  }
  const { libtorch, cuda, blas, fastBlas } = found;
  const rates = await import("./product-rate.ts");
  const float32 = rates.productRate("float32");
  const fast = fastBlas || float32 > SLOW_GFLOPS; // a busy machine is slow with any library
  const precision = preferredPrecision();
  const told =
    precision === "bfloat16" ? `${rates.productRate("bfloat16").toFixed(0)} GFLOP/s` : "not in this processor";
  return [
    { what: "LibTorch", ok: true, told: `${libtorch}, ${getNumThreads()} threads` },
    cudaFinding(cuda),
    {
      what: "matrix products, float32",
      ok: fast,
      told: `${float32.toFixed(0)} GFLOP/s by ${blas}${fast ? "" : ": no fast BLAS"}`,
      fix: FAST_BLAS,
    },
    { what: "matrix products, bfloat16", ok: true, told: `${told}; training uses ${precision}` },
  ];
}

function assets(): Finding[] {
  const fetch = "npx omni-id models --fetch";
  const packages = assetsStatus().map(({ name, version, present, path }): Finding => {
    const what = `models: ${name}@${version}`;
    if (!present) return { what, ok: false, told: "not fetched", fix: fetch };
    try {
      for (const model of models) if (model.package === name) modelFile(model);
      return { what, ok: true, told: path };
    } catch (error) {
      return { what, ok: false, told: (error as Error).message, fix: `rm -r ${path} && ${fetch}` };
    }
  });
  return [...packages, cache()];
}

function cache(): Finding {
  const folder = cacheFolder();
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return { what: "cache folder", ok: true, told: folder };
  } catch {
    const fix = "export OMNI_ID_CACHE=… (a folder that you may write to)";
    return { what: "cache folder", ok: false, told: `${folder} cannot be written to`, fix };
  }
}

/** @param full load them; else only what the files say of themselves is read */
async function weights(full = false): Promise<Finding> {
  const folder = shippedWeights();
  const what = `weights: ${folder}`;
  try {
    if (full) await (await import("../weights/first-stage.ts")).loadFirstStage(folder);
    const { name, steps } = await firstStageNote(folder);
    return { what, ok: true, told: `encoder ${name}, ${steps ?? "?"} steps` };
  } catch (error) {
    const [told] = (error as Error).message.split("\n");
    return { what, ok: false, told, fix: "git checkout weights/nano, or: npx omni-id train mtd" };
  }
}

/** @throws when one of the two files is missing, damaged, or they belong to different runs */
async function firstStageNote(folder: string): Promise<{ name: string; steps?: string }> {
  const { preset, hash, metadata } = await readWeightsNote(join(folder, ENCODER_FILE), "mtd");
  const decoder = await readWeightsNote(join(folder, DECODER_FILE), "mtd");
  if (decoder.metadata.encoderHash !== hash) {
    throw new Error(`${DECODER_FILE} was trained with another encoder than ${ENCODER_FILE} beside it`);
  }
  return { name: encoderName(preset, hash), steps: metadata.steps };
}
