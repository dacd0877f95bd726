import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { provenance } from "@omni-id/data";
import { setExactness, version, writeAtomically } from "@omni-id/torch";
import { fullSize } from "./full-size.ts";
import { operators } from "./operators.ts";
import { parity } from "./parity.ts";
import { type Finding, holds, type Part, type ProofContext } from "./part.ts";
import { trainingSteps } from "./stages.ts";

/** The parts of the proof, in the order in which they run: what is cheap and tells most comes first. */
export const PARTS: Readonly<Record<string, Part>> = {
  operators,
  parity,
  stages: trainingSteps(),
  "full size": fullSize,
};

export interface ProofReport {
  device: string;
  /** What the caller knows of the card. */
  card: string;
  libtorch: string;
  parts: Record<string, { findings: Finding[]; seconds: number; error?: string }>;
  /** What PyTorch measured on the same card, in the same minutes. */
  peer?: unknown;
  passed: number;
  failed: number;
}

/**
 * What a device computes, held against the processor, part by part. A part that throws is told and the next one runs.
 * @param file JSON that is written anew after each part
 * @param commit of the program, where it runs outside its checkout
 */
export function prove(
  parts: Readonly<Record<string, Part>>,
  context: ProofContext,
  { file, card = "", commit, peer }: { file?: string; card?: string; commit?: string; peer?: unknown } = {},
): ProofReport {
  setExactness();
  const report: ProofReport = {
    device: context.device,
    card,
    libtorch: version().libtorch,
    parts: {},
    peer,
    passed: 0,
    failed: 0,
  };
  for (const [name, part] of Object.entries(parts)) {
    const started = performance.now();
    const findings: Finding[] = [];
    let error: string | undefined;
    try {
      for (const finding of part(context)) {
        findings.push(finding);
        const ok = holds(finding);
        if (finding.limit !== undefined) report[ok ? "passed" : "failed"]++;
        const sign = finding.limit === undefined ? "    " : ok ? "pass" : "FAIL";
        context.note(`${sign} ${name}: ${finding.name}: ${told(finding)}`);
      }
    } catch (thrown) {
      error = thrown instanceof Error ? thrown.message : String(thrown);
      report.failed++;
      context.note(`FAIL ${name}: ${error}`);
    }
    report.parts[name] = { findings, seconds: (performance.now() - started) / 1e3, error };
    if (file) {
      mkdirSync(dirname(file), { recursive: true });
      writeAtomically(file, `${JSON.stringify({ ...provenance(0), ...(commit && { commit }), ...report }, null, 2)}\n`);
    }
  }
  return report;
}

const told = ({ value, unit }: Finding) =>
  `${Number.isInteger(value) ? value : value.toPrecision(3)}${unit ? ` ${unit}` : ""}`;
