import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

export interface Line {
  label: string;
  steps: readonly number[];
  values: readonly number[];
}

const COLOURS = ["--line-1", "--line-2"];

/** Curves of one figure over steps; the numbers stand in a table beside it for those who do not see it. */
export function Chart({ title, lines, step }: { title: string; lines: readonly Line[]; step: string }) {
  const holder = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const at = holder.current;
    if (!at) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--edge") }, ticks: { stroke: colour("--edge") } };
    const chart = new uPlot(
      {
        width: at.clientWidth || 320,
        height: 180,
        scales: { x: { time: false } },
        axes: [axis, { ...axis, size: 60 }],
        legend: { live: true },
        series: [
          { label: step },
          ...lines.map(({ label }, i) => ({ label, stroke: colour(COLOURS[i % 2]), width: 1.5, spanGaps: true })),
        ],
      },
      joined(lines),
      at,
    );
    const observer = new ResizeObserver(() => chart.setSize({ width: at.clientWidth, height: 180 }));
    observer.observe(at);
    return () => {
      observer.disconnect();
      chart.destroy();
    };
  }, [lines, step]);
  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      <div ref={holder} aria-hidden="true" />
    </figure>
  );
}

/** Lines over all steps of any of them, with holes. */
function joined(lines: readonly Line[]): uPlot.AlignedData {
  const steps = [...new Set(lines.flatMap((line) => line.steps))].sort((a, b) => a - b);
  const columns = lines.map(({ steps: own, values }) => {
    const at = new Map(own.map((place, i) => [place, values[i]]));
    return steps.map((place) => at.get(place) ?? null);
  });
  return [steps, ...columns];
}
