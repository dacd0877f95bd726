import { execFileSync } from "node:child_process";
import { cpus, totalmem } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { version } from "@omni-id/torch";

/** Where a number comes from: it stands beside every result. */
export interface Provenance {
  seed: number;
  commit: string;
  hardware: string;
  libtorch: string;
  date: string;
}

export function provenance(seed: number): Provenance {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return {
    seed,
    commit: commit(),
    hardware: `${cpu?.model.trim() ?? "unknown processor"}, ${cpus().length} cores, ${memory} GB`,
    libtorch: version().libtorch,
    date: new Date().toISOString().slice(0, 10),
  };
}

/**
 * The commit of this program's checkout, marked when it holds changes; "unknown" where it was installed by npm. Where
 * it was brought without its history, OMNI_ID_COMMIT says it.
 */
function commit(): string {
  if (process.env.OMNI_ID_COMMIT) return process.env.OMNI_ID_COMMIT;
  const cwd = dirname(fileURLToPath(import.meta.url));
  if (cwd.includes("node_modules")) return "unknown"; // the repository around it is somebody else's
  try {
    const git = (...args: string[]) =>
      execFileSync("git", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const hash = git("rev-parse", "--short=12", "HEAD").trim();
    return git("status", "--porcelain", "--untracked-files=no").trim() ? `${hash}+changes` : hash;
  } catch {
    return "unknown";
  }
}
