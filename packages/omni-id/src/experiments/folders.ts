import { copyFileSync, existsSync, linkSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeAtomically } from "@omni-id/torch";
import { ADAPTER_FILE, AUTOENCODER_FILE, CONTROL_FILE, FLUX_FILE, PROMPTS_FILE } from "../weights/flow.ts";
import { DECODER_FILE, ENCODER_FILE } from "../weights/folder.ts";
import type { ArmFigures } from "./results.ts";
import type { ExperimentStage, StageKind } from "./stages.ts";

/** The file that a stage writes last. */
const LAST: Readonly<Record<StageKind, string>> = {
  mtd: join("weights", DECODER_FILE),
  flow: join("weights", ADAPTER_FILE),
  downstream: join("weights", ADAPTER_FILE),
  evaluate: "figures.json",
};

/** What one stage leaves behind, below the experiment's folder. */
export class StageFolders {
  readonly #root: string;
  readonly #kept: string | undefined;

  /** @param kept where finished measurements are also looked for: those of another machine, or of a folder that is gone */
  constructor(out: string, kept?: string) {
    this.#root = join(out, "stages");
    this.#kept = kept;
  }

  of({ id }: Pick<ExperimentStage, "id">): string {
    return join(this.#root, id);
  }

  weights(id: string): string {
    return join(this.#root, id, "weights");
  }

  report(id: string): string {
    return join(this.#root, id, LAST.evaluate);
  }

  /** Where its process tells what it does. */
  log(stage: Pick<ExperimentStage, "id">): string {
    return join(this.of(stage), "told.txt");
  }

  isDone(stage: Pick<ExperimentStage, "id" | "kind">): boolean {
    if (stage.kind === "evaluate") return this.#measured(stage.id) !== undefined;
    return existsSync(join(this.of(stage), LAST[stage.kind]));
  }

  /** Figures of a finished measurement. */
  figures(id: string): ArmFigures | undefined {
    const file = this.#measured(id);
    return file === undefined ? undefined : (JSON.parse(readFileSync(file, "utf8")) as ArmFigures);
  }

  /** Puts a finished measurement where it outlives this folder, if it is not there. */
  keep(id: string): void {
    const file = this.#kept && join(this.#kept, `${id}.json`);
    const figures = file === undefined || existsSync(file) ? undefined : this.figures(id);
    if (file === undefined || figures === undefined) return;
    mkdirSync(dirname(file), { recursive: true });
    writeAtomically(file, `${JSON.stringify(figures)}\n`);
  }

  #measured(id: string): string | undefined {
    const kept = this.#kept === undefined ? [] : [join(this.#kept, `${id}.json`)];
    return [this.report(id), ...kept].find((file) => existsSync(file));
  }

  /** One folder with all that drawing takes: the base's files beside a stage's encoder and adapter. */
  gather(id: string, { base, trained }: { base: string; trained: string }): string {
    const folder = this.weights(id);
    mkdirSync(folder, { recursive: true });
    for (const name of [FLUX_FILE, AUTOENCODER_FILE, PROMPTS_FILE]) bring(join(base, name), join(folder, name));
    // Trained downstream, or the base's own.
    const own = join(this.weights(trained), CONTROL_FILE);
    bring(existsSync(own) ? own : join(base, CONTROL_FILE), join(folder, CONTROL_FILE));
    for (const name of [ENCODER_FILE, ADAPTER_FILE]) bring(join(this.weights(trained), name), join(folder, name));
    return folder;
  }
}

/** A second name for a file; a copy where the disk has no links, or the file lies on another one. */
function bring(from: string, to: string): void {
  rmSync(to, { force: true });
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}
