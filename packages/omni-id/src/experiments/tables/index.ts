import { figure9, figure9Frozen } from "./figure9.ts";
import type { Table } from "./table.ts";
import { table1 } from "./table1.ts";
import { table2 } from "./table2.ts";
import { table3, table3Clip } from "./table3.ts";

/**
 * The paper's tables as data, by name. Every arm starts from the preset `nano-paper`; what it lists replaces single values.
 * Claims are written here before anything is run, in the paper's words where it has them; `paper` is its own column.
 */
export const TABLES: Readonly<Record<string, Table>> = {
  table1,
  table2,
  table3,
  "table3-clip": table3Clip,
  figure9,
  "figure9-frozen": figure9Frozen,
};
