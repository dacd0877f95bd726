import type { Estimate } from "@omni-id/data";
import type { ArmResult, TableResult } from "../results.ts";
import { TABLES } from "../tables/index.ts";
import type { Arm, At } from "../tables/table.ts";
import { curveChart } from "./curve-chart.ts";
import { dotChart } from "./dot-chart.ts";
import { COUNTS } from "./report.ts";

/** A table whose arms are points over stage one's steps, as a curve. */
function curveOf({ table, arms, steps }: TableResult): string {
  const stepsOf = ({ noMtd, mtdShare = 1 }: Arm) => (noMtd ? 0 : Math.round(steps.mtd * mtdShare));
  const curves = COUNTS.map((count) => ({
    label: labelOf(count),
    points: Object.entries(TABLES[table].arms).flatMap(([name, arm]) => {
      const value = arms[name]?.idSimilarity[count];
      return value ? [{ x: stepsOf(arm), value }] : [];
    }),
  }));
  return curveChart({ curves, axes: { x: "steps of stage one", y: "ID similarity, 95 %" } });
}

const labelOf = (count: At) => (count === "1" ? "1 photo" : `${count} photos`);

/** Charts of a table: identity similarity, its differences in pairs, and pose errors where they were read. */
export function chartsOf(result: TableResult): { name: string; svg: string }[] {
  const { table, arms, bounds, hypotheses } = result;
  const rows = (of: (arm: ArmResult) => Partial<Record<At, Estimate>> | undefined) =>
    Object.entries(arms).flatMap(([name, arm]) => {
      const dots = COUNTS.flatMap((count) => {
        const value = of(arm)?.[count];
        return value ? [{ label: labelOf(count), value }] : [];
      });
      return dots.length > 0 ? [{ name, dots }] : [];
    });
  const marks = bounds.bareBase === undefined ? [] : [{ label: "nobody's identity", at: bounds.bareBase }];
  const likeness = rows((arm) => arm.idSimilarity);
  const differences = hypotheses.flatMap(({ claim, difference }) => {
    const known = TABLES[table]?.hypotheses.find((one) => one.claim === claim && one.measure === "idSimilarity");
    if (!known || !difference) return [];
    const side = ({ arm, at }: typeof known.more) =>
      known.more.arm === known.less.arm ? `${arm} at ${at.join(", ")}` : arm;
    const name = `${side(known.more)} − ${side(known.less)}`;
    return [{ name, dots: [{ label: "the mean over the photos claimed", value: difference }] }];
  });
  const pose = rows((arm) => arm.poseError);
  return [
    ...(TABLES[table]?.curve && likeness.length > 1 ? [{ name: "curve", svg: curveOf(result) }] : []),
    ...(likeness.length > 0
      ? [
          {
            name: "similarity",
            svg: dotChart({ rows: likeness, axis: "ID similarity (higher is better), 95 %", marks }),
          },
        ]
      : []),
    ...(differences.length > 0
      ? [
          {
            name: "differences",
            svg: dotChart({
              rows: differences,
              axis: "difference of ID similarity in pairs, 95 %; the claims expect all of them to the right of 0",
              marks: [{ label: "0", at: 0 }],
            }),
          },
        ]
      : []),
    ...(pose.length > 0
      ? [{ name: "pose", svg: dotChart({ rows: pose, axis: "pose error, degrees (lower is better), 95 %" }) }]
      : []),
  ];
}
