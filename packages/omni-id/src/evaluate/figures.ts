import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { bootstrap, bootstrapOver, type Estimate, type Groups, mean, meanOf } from "@omni-id/data";
import type { People } from "../people/people.ts";
import { type CountKey, eachCount } from "./protocol.ts";

/** Values of one measure under each condition, one list a person. */
export type Values<K extends string = string> = Record<K, Groups>;

/** The bounds of a measure of likeness, and what lies between them. */
export type Bounded = Values<CountKey | "samePerson" | "otherPerson">;

export type ClaimAnswer = "yes" | "no" | "unresolved";

/** Of a claim by its difference in pairs: yes where the interval lies above 0, no where it lies below. */
export const answerBy = ({ ci: [low, high] }: Estimate): ClaimAnswer =>
  low > 0 ? "yes" : high < 0 ? "no" : "unresolved";

export function estimates<K extends string>(values: Values<K>): Record<K, Estimate> {
  return mapValues(values, (groups) => bootstrap(groups));
}

/** Share of the way from somebody else to the person, with its interval over people: 0 is a stranger, 1 the person. */
export function closedWay(values: Bounded): Record<CountKey, Estimate> {
  const people = values.samePerson.length;
  return eachCount((count) => bootstrapOver(people, closedOf(values, `${count}`)));
}

function closedOf(values: Bounded, count: CountKey): (drawn: readonly number[]) => number {
  const [same, other, made] = [values.samePerson, values.otherPerson, values[count]].map(meanOf);
  return (drawn) => (other(drawn) - made(drawn)) / (other(drawn) - same(drawn));
}

/** What a report keeps of each person, so that two reports of the same people can be compared in pairs. */
export interface PerPerson {
  /** Names the people without telling who they are. */
  people: string;
  /** Mean of each person, by measure and condition. */
  means: Record<string, Record<string, number[]>>;
}

export function perPerson(people: People, measures: Record<string, Values>): PerPerson {
  const round = (value: number) => Number(value.toPrecision(6));
  return {
    people: createHash("sha256").update(people.ids.join("\n")).digest("hex").slice(0, 12),
    means: mapValues(measures, (values) =>
      mapValues(values, (groups) => groups.map((values) => round(mean([...values])))),
    ),
  };
}

/** Another report that this one is compared with. */
export interface Against {
  report: string;
  weights: unknown;
  /** This report's figure less the other's, paired over people: by measure and condition. */
  differences: Record<string, Record<string, Estimate>>;
}

/** What `--against` reads of a report. */
export interface OtherReport {
  file: string;
  weights: unknown;
  perPerson: PerPerson;
}

/** @throws when the file is no report that keeps what each person scored */
export function readOtherReport(file: string): OtherReport {
  if (!existsSync(file)) throw new Error(`${file}: no such report to compare with`);
  let found: Partial<OtherReport>;
  try {
    found = JSON.parse(readFileSync(file, "utf8")) as Partial<OtherReport>;
  } catch {
    throw new Error(`${file}: not JSON; name a report of omni-id evaluate`);
  }
  if (!found.perPerson?.means) throw new Error(`${file}: keeps nothing of single people; measure it again`);
  return { file, weights: found.weights, perPerson: found.perPerson };
}

/**
 * Differences between two reports of the same people, wherever both have a measure; of a measure of likeness also of the
 * way that it closes. @throws when they are of other people
 */
export function compareReports(mine: PerPerson, other: OtherReport): Against {
  const { file, weights, perPerson: theirs } = other;
  if (mine.people !== theirs.people) {
    throw new Error(`${file}: measured on other people (${theirs.people}, here ${mine.people}); no pairs can be made`);
  }
  const differences: Against["differences"] = {};
  for (const [measure, conditions] of Object.entries(mine.means)) {
    const others = theirs.means[measure] ?? {};
    const common = Object.keys(conditions).filter((key) => others[key] !== undefined);
    const [a, b] = [conditions, others].map((all) => mapValues(all, (values) => values.map((value) => [value])));
    differences[measure] = Object.fromEntries(
      common.map((key) => [key, difference(meanOf(a[key]), meanOf(b[key]), a[key])]),
    );
    if (isBounded(a) && isBounded(b)) {
      const keys = ["1", "3", "5"] as const;
      differences[`${measure}, way closed`] = Object.fromEntries(
        keys.map((key) => [key, difference(closedOf(a, key), closedOf(b, key), a[key])]),
      );
    }
  }
  return { report: file, weights, differences };
}

type Figure = (drawn: readonly number[]) => number;

const difference = (mine: Figure, theirs: Figure, people: Groups): Estimate =>
  bootstrapOver(people.length, (drawn) => mine(drawn) - theirs(drawn));

function isBounded(values: Values): values is Bounded {
  return ["1", "3", "5", "samePerson", "otherPerson"].every((key) => values[key] !== undefined);
}

/** Differences between conditions of one measure, paired over people; named "3 − 1". */
export function differencesOf<K extends string>(
  values: Values<K>,
  pairs: readonly (readonly [K, K])[],
): Record<string, Estimate> {
  return Object.fromEntries(
    pairs.map(([a, b]) => [`${a} − ${b}`, difference(meanOf(values[a]), meanOf(values[b]), values[a])]),
  );
}

/** A report as the text of its file: lists of numbers on one line. */
export function reportText(report: object): string {
  const text = JSON.stringify(report, null, 2);
  return `${text.replaceAll(/\[\s+(-?[\d.eE+-]+(?:,\s+-?[\d.eE+-]+)*)\s+\]/g, (_, list: string) => `[${list.replaceAll(/,\s+/g, ", ")}]`)}\n`;
}

export function mapValues<K extends string, T, U>(record: Record<K, T>, of: (value: T) => U): Record<K, U> {
  return Object.fromEntries(Object.entries<T>(record).map(([key, value]) => [key, of(value)])) as Record<K, U>;
}
