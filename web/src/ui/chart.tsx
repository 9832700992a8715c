// Chart: uPlot with this console's colours, brush zoom, synced cursor, a legend that isolates a
// series, and a table for those who cannot see the canvas.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useEffect, useRef, useState } from "preact/hooks";

import { dark, zone } from "../app/settings";
import { formatTime, zoomOut, zoomTo } from "../app/time";
import { formatNumber } from "./basic";

export interface Series {
  label: string;
  // Epoch ms, ascending; values of the same length; NaN or null: a gap.
  times: number[];
  values: (number | null)[];
  color?: string;
  axis?: "left" | "right";
}

// Told apart by colour-blind readers too (Okabe and Ito's order, darkened for contrast).
const lightColors = ["#0b6e99", "#c2410c", "#15803d", "#8b3fa8", "#946200", "#be185d", "#4b5563", "#0f766e"];
const darkColors = ["#56c5ea", "#f6a15b", "#6fd08c", "#d29bf0", "#e5c04d", "#f58ab6", "#aab4c0", "#5fd4c4"];
const dashes: (number[] | undefined)[] = [undefined, [7, 3], [2, 3], [9, 3, 2, 3]];
export const colorOf = (i: number) => (dark.value ? darkColors : lightColors)[i % 8]!;

// All series on one time axis, as uPlot wants them.
function align(series: Series[]): uPlot.AlignedData {
  const times = [...new Set(series.flatMap((s) => s.times))].sort((a, b) => a - b);
  const at = new Map(times.map((t, i) => [t, i]));
  return [
    times.map((t) => t / 1000),
    ...series.map((s) => {
      const column: (number | null)[] = new Array<number | null>(times.length).fill(null);
      s.times.forEach((t, i) => {
        const v = s.values[i];
        column[at.get(t)!] = v === undefined || v === null || Number.isNaN(v) ? null : v;
      });
      return column;
    }),
  ] as uPlot.AlignedData;
}

// 24-hour clock; the date stands below the first tick and where the day changes.
const timeTicks: uPlot.Axis.DynamicValues = (_u, splits, _axis, _space, increment) => {
  let day = "";
  return splits.map((seconds) => {
    const [date, time] = formatTime(seconds * 1000, false).split(" ") as [string, string];
    const clock = increment >= 86400 ? "" : increment >= 60 ? time.slice(0, 5) : time;
    const text = date === day ? clock : clock ? `${clock}\n${date}` : date;
    day = date;
    return text;
  });
};

// Each layer stands on the sum of those before it.
function stack(data: uPlot.AlignedData): uPlot.AlignedData {
  const sums = new Array<number>(data[0].length).fill(0);
  return [data[0], ...data.slice(1).map((column) => [...column].map((v, i) => (sums[i]! += v ?? 0)))] as uPlot.AlignedData;
}

export function Chart(props: {
  label: string;
  series: Series[];
  from: number;
  to: number;
  height?: number;
  kind?: "line" | "stacked" | "bars";
  lines?: { value: number; label: string; color?: string }[]; // thresholds
  unit?: string;
  zoom?: boolean;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [asTable, setAsTable] = useState(false);
  const height = props.height ?? 240;
  const isDark = dark.value;
  const utc = zone.value === "utc";

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--ink-soft");
    const grid = { stroke: style.getPropertyValue("--line"), width: 1 };
    const aligned = align(props.series);
    const data = props.kind === "stacked" ? stack(aligned) : aligned;
    const sparse = data[0].length < 60;
    const options: uPlot.Options = {
      width: element.clientWidth,
      height,
      tzDate: (ts) => (utc ? uPlot.tzDate(new Date(ts * 1000), "Etc/UTC") : new Date(ts * 1000)),
      legend: { show: false },
      cursor: { sync: { key: "fogwatch" }, drag: { x: props.zoom !== false, y: false, setScale: false } },
      scales: {
        x: { min: props.from / 1000, max: props.to / 1000 },
        y: {
          range: (_u, low, high) => {
            const marks = (props.lines ?? []).map((l) => l.value);
            const min = Math.min(low ?? 0, 0, ...marks);
            const max = Math.max(high ?? 1, ...marks);
            return [min, max === min ? min + 1 : max + (max - min) * 0.08];
          },
        },
      },
      axes: [
        { stroke: ink, grid, ticks: grid, font: "12px system-ui", values: timeTicks },
        { stroke: ink, grid, ticks: grid, font: "12px system-ui", size: 64, values: (_u, ticks) => ticks.map((v) => formatNumber(v)) },
      ],
      series: [
        {},
        ...props.series.map((s, i): uPlot.Series => {
          const color = s.color ?? colorOf(i);
          const dash = dashes[Math.floor(i / 8) % dashes.length];
          return {
            label: s.label,
            show: !hidden.has(s.label),
            stroke: color,
            width: 1.6,
            ...(dash ? { dash } : {}),
            ...(props.kind === "stacked" ? { fill: color + "55" } : {}),
            ...(props.kind === "bars" ? { fill: color + "99", paths: uPlot.paths.bars!({ size: [0.8, 40] }) } : {}),
            points: { show: sparse && props.kind !== "bars", size: 5 },
            spanGaps: false,
          };
        }),
      ],
      hooks: {
        setSelect: [
          (u) => {
            if (u.select.width > 4) zoomTo(u.posToVal(u.select.left, "x") * 1000, u.posToVal(u.select.left + u.select.width, "x") * 1000);
            u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          },
        ],
        draw: [
          (u) => {
            for (const line of props.lines ?? []) {
              const y = u.valToPos(line.value, "y", true);
              u.ctx.save();
              u.ctx.strokeStyle = line.color ?? style.getPropertyValue("--bad");
              u.ctx.setLineDash([6, 4]);
              u.ctx.lineWidth = 1.5;
              u.ctx.beginPath();
              u.ctx.moveTo(u.bbox.left, y);
              u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
              u.ctx.stroke();
              u.ctx.fillStyle = u.ctx.strokeStyle;
              u.ctx.font = `${12 * devicePixelRatio}px system-ui`;
              u.ctx.textAlign = "left";
              u.ctx.textBaseline = "alphabetic";
              u.ctx.fillText(line.label, u.bbox.left + 6, y - 5);
              u.ctx.restore();
            }
          },
        ],
      },
    };
    // Stacked layers are drawn from the top of the pile down.
    if (props.kind === "stacked") options.bands = props.series.slice(1).map((_s, i) => ({ series: [i + 2, i + 1] as [number, number] }));
    const plot = new uPlot(options, data, element);
    const back = () => props.zoom !== false && zoomOut();
    plot.over.addEventListener("dblclick", back);
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [props.series, props.from, props.to, props.kind, props.lines, height, isDark, utc, hidden]);

  const toggle = (label: string, alone: boolean) =>
    setHidden((old) => {
      if (alone) {
        const others = props.series.map((s) => s.label).filter((l) => l !== label);
        return others.length > 0 && others.every((l) => old.has(l)) ? new Set() : new Set(others);
      }
      const now = new Set(old);
      if (!now.delete(label)) now.add(label);
      return now;
    });
  return (
    <figure class="chart">
      <div ref={box} class="chart-box" role="img" aria-label={`${props.label}: ${props.series.length} series`} style={{ minHeight: `${height}px` }} />
      <figcaption class="legend">
        {props.series.slice(0, 60).map((s, i) => (
          <button class={hidden.has(s.label) ? "off" : ""} aria-pressed={!hidden.has(s.label)} title="Click: show or hide. Shift-click: only this one." onClick={(e) => toggle(s.label, e.shiftKey)}>
            <i style={{ background: s.color ?? colorOf(i) }} />
            {s.label}
            <b>{lastValue(s, props.unit)}</b>
          </button>
        ))}
        <button class="as-table" aria-expanded={asTable} onClick={() => setAsTable(!asTable)}>{asTable ? "Hide table" : "Table"}</button>
      </figcaption>
      {asTable && <ChartTable series={props.series} />}
    </figure>
  );
}

function lastValue(s: Series, unit?: string): string {
  const value = s.values.findLast((v) => v !== null && v !== undefined && !Number.isNaN(v));
  return value === undefined || value === null ? "" : formatNumber(value) + (unit && unit !== "None" ? " " + unit : "");
}

function ChartTable({ series }: { series: Series[] }) {
  const times = [...new Set(series.flatMap((s) => s.times))].sort((a, b) => b - a).slice(0, 500);
  const columns = series.slice(0, 20).map((s) => new Map(s.times.map((t, i) => [t, s.values[i]])));
  return (
    <div class="table-box" style={{ maxHeight: "260px" }} tabIndex={0} role="region" aria-label="Values">
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {series.slice(0, 20).map((s) => (
              <th scope="col" class="num">{s.label}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {times.map((t) => (
            <tr>
              <td>{formatTime(t, false)}</td>
              {columns.map((c) => {
                const v = c.get(t);
                return <td class="num">{v === undefined || v === null ? "" : formatNumber(v)}</td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
