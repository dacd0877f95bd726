import { existsSync, readFileSync } from "node:fs";
import { type ShardSet, splitOf } from "@omni-id/data";
import { saveGenerationSheet } from "../evaluate/generation-sheet.ts";
import { cropsOfOthers } from "../evaluate/other-crops.ts";
import { describeRealPeople, evaluateRealPeople, type RealPeopleReport } from "../evaluate/real-people.ts";
import type { Judge } from "../evaluate/recognisers.ts";
import type { FaceGenerator } from "../generate/face-generator.ts";
import type { People } from "../people/people.ts";

/** Crops of other people that pictures are compared with as a set. */
const MOST_OTHERS = 1000;

/** The halves of a report: whose weights were measured. */
export const HALVES = ["trained", "shipped"] as const;
export type Half = (typeof HALVES)[number];

/** One half as the file keeps it. */
type Measured = RealPeopleReport & { data: string };

export interface MeasurePeople {
  generator: FaceGenerator;
  shards: ShardSet;
  people: People;
  judge: Judge;
  /** What `generate` takes for most of these people when absent. */
  guidance: number | undefined;
  steps: number;
  landmarks: boolean;
  seed: number;
  keep: string;
  /** Picture to write; the people on it are real ones. */
  sheet: string | undefined;
  onProgress: (what: string) => void;
}

/** Measures likeness to held-out people of a set, and how real the pictures look. */
export async function measurePeople({ shards, sheet, ...options }: MeasurePeople) {
  const { people, generator } = options;
  const split = splitOf(shards);
  const others = await cropsOfOthers(shards, split.train, { most: MOST_OTHERS, size: generator.imageSize });
  const { report, tasks, pictures } = await evaluateRealPeople({ ...options, others });
  const lines = describeRealPeople(report);
  if (sheet !== undefined) {
    const title = "People it has never seen, drawn from noise";
    // The mean identity is not drawn here, nor shown.
    const shown = { ...pictures, identityRemoved: pictures.bareBase };
    await saveGenerationSheet(sheet, { people, tasks, pictures: shown, title, notes: lines });
  }
  const data = `${shards.ids.length} people: ${split.train.length} to train on, ${split.validation.length} for validation, ${split.test.length} held out`;
  return { report: { ...report, data } satisfies Measured, lines };
}

/**
 * A report with one half set anew, the other one as it stands in the file.
 * @throws when the file is no such report
 */
export function withHalf(file: string, half: Half, measured: Measured): object {
  const { commit, hardware } = measured;
  const judge = "dlib's 128-d network, euclidean distance of faces in pictures of the preset's side";
  return { commit, hardware, judge, ...halvesOf(file), [half]: measured };
}

function halvesOf(file: string): Partial<Record<Half, unknown>> {
  if (!existsSync(file)) return {};
  try {
    const found = JSON.parse(readFileSync(file, "utf8")) as Partial<Record<Half, object>>;
    return Object.fromEntries(HALVES.flatMap((half) => (found[half] ? [[half, found[half]]] : [])));
  } catch (error) {
    throw new Error(`${file}: damaged (${(error as Error).message}); delete it, and measure both halves again`);
  }
}
