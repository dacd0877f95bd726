import type { Figure10 } from "../figure10.ts";
import type { TableResult } from "../results.ts";

/** Numbers of photos that all tables of the paper have. */
export const COUNTS = ["1", "3"] as const;

/** All that was measured, to be told. */
export interface Report {
  tables: readonly ReportedTable[];
  figure10?: ReportedFigure10;
  /** What all of it says together, written by hand; Markdown. */
  thoughts?: string;
}

/** A table that was run, and what belongs beside it. */
export interface ReportedTable {
  /** Name of its file, and of its charts'. */
  name: string;
  result: TableResult;
  /** What we think of it, written by hand; Markdown. */
  thoughts?: string;
  /** Pictures of arms, as data URIs. */
  strips?: readonly { arm: string; uri: string }[];
}

/** Figure 10 as it was measured, and its picture. */
export interface ReportedFigure10 {
  figure: Figure10;
  /** From the page of the documentation. */
  link: string;
  /** For the page that needs nothing else: a data URI. */
  uri: string;
}
