import { accessSync, constants, existsSync, mkdirSync, readdirSync, statfsSync } from "node:fs";
import { totalmem } from "node:os";
import { Command } from "@commander-js/extra-typings";
import { assetsStatus, cacheFolder, modelFile, models } from "@omni-id/face/assets";
import { shippedWeights } from "../weights/folder.ts";
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
    .addOption(jsonOption())
    .addHelpText("after", "\nExit code 0: all is there; 1: something is missing.")
    .action(async (options) => {
      const engine = await libtorch();
      const findings = [...machine(), ...engine, ...assets()];
      if (engine.every(({ ok }) => ok)) findings.push(await weights());
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

/** LibTorch itself: loading it may be what fails. */
async function libtorch(): Promise<Finding[]> {
  let torch: typeof import("@omni-id/torch");
  try {
    torch = await import("@omni-id/torch");
  } catch (error) {
    return [{ what: "LibTorch", ok: false, told: (error as Error).message, fix: "npm run setup" }];
  }
  const { libtorch: version, cuda, blas } = torch.version();
  const rates = await import("./product-rate.ts");
  const float32 = rates.productRate("float32");
  const precision = torch.preferredPrecision();
  const told =
    precision === "bfloat16" ? `${rates.productRate("bfloat16").toFixed(0)} GFLOP/s` : "not in this processor";
  return [
    { what: "LibTorch", ok: true, told: `${version}, ${torch.getNumThreads()} threads` },
    { what: "CUDA", ok: true, told: cuda ? "found; use it with --device cuda" : "none: --device cpu only" },
    {
      what: "matrix products, float32",
      ok: float32 > SLOW_GFLOPS,
      told: `${float32.toFixed(0)} GFLOP/s by ${blas}${float32 > SLOW_GFLOPS ? "" : ": no fast BLAS"}`,
      fix: "sudo apt-get install -y libopenblas0",
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

async function weights(): Promise<Finding> {
  const folder = shippedWeights();
  const what = `weights: ${folder}`;
  try {
    const { loadFirstStage } = await import("../weights/first-stage.ts");
    const { encoder } = await loadFirstStage(folder);
    return { what, ok: true, told: `encoder ${encoder.name}, ${encoder.metadata.steps ?? "?"} steps` };
  } catch (error) {
    const [told] = (error as Error).message.split("\n");
    return { what, ok: false, told, fix: "git checkout weights/nano, or: npx omni-id train mtd" };
  }
}
