// Chart: uPlot with this console's colours, brush zoom, synced cursor, bands, thresholds, a shaded
// window, a legend that isolates a series, a picture to save, and a table for those who cannot see.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useEffect, useRef, useState } from "preact/hooks";

import { dark, zone } from "../app/settings";
import { formatTime, zoomOut, zoomTo } from "../app/time";
import { formatNumber } from "./basic";
import { download, toCsv } from "./table";

export interface Series {
  label: string;
  // Epoch ms, ascending; values of the same length; NaN or null: a gap.
  times: number[];
  values: (number | null)[];
  color?: string;
  axis?: "left" | "right";
  dashed?: boolean;
  // Two series of one band name stand for an area: the upper first.
  band?: string;
}
export interface Line {
  value: number;
  label: string;
  color?: string;
  soft?: boolean; // does not stretch the axis
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
const timeTicks = (withDate: boolean): uPlot.Axis.DynamicValues => (_u, splits, _axis, _space, increment) => {
  let day = "";
  return splits.map((seconds) => {
    const [date, time] = formatTime(seconds * 1000, false).split(" ") as [string, string];
    const clock = increment >= 86400 ? "" : increment >= 60 ? time.slice(0, 5) : time;
    const text = date === day || (!withDate && clock) ? clock : clock ? `${clock}\n${date}` : date;
    day = date;
    return text;
  });
};

// Each layer stands on the sum of those before it.
function stack(data: uPlot.AlignedData): uPlot.AlignedData {
  const sums = new Array<number>(data[0].length).fill(0);
  return [data[0], ...data.slice(1).map((column) => [...column].map((v, i) => (sums[i]! += v ?? 0)))] as uPlot.AlignedData;
}

// Drawn over the grid: the shaded window and the thresholds.
function marks(u: uPlot, lines: Line[], window: { from: number; to: number } | undefined, bad: string) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  if (window) {
    const left = u.valToPos(window.from / 1000, "x", true);
    ctx.globalAlpha = 0.13;
    ctx.fillStyle = bad;
    ctx.fillRect(left, bbox.top, u.valToPos(window.to / 1000, "x", true) - left, bbox.height);
    ctx.globalAlpha = 1;
  }
  ctx.setLineDash([6, 4]);
  ctx.lineWidth = 1.5;
  ctx.font = `${12 * devicePixelRatio}px system-ui`;
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  for (const line of lines) {
    const y = u.valToPos(line.value, "y", true);
    ctx.strokeStyle = ctx.fillStyle = line.color ?? bad;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.fillText(line.label, bbox.left + 6, y - 5);
  }
  ctx.restore();
}

export function Chart(props: {
  label: string;
  series: Series[];
  from: number;
  to: number;
  height?: number;
  kind?: "line" | "stacked" | "bars";
  lines?: Line[]; // thresholds
  window?: { from: number; to: number } | undefined; // shaded: what an alarm looks at
  unit?: string | undefined;
  zoom?: boolean;
  small?: boolean; // no legend unless there are several series
}) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
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
    const sparse = data[0].length < 40 && !props.small;
    const right = props.series.some((s) => s.axis === "right");
    const scale = (lines: Line[]): uPlot.Scale => ({
      range: (_u, low, high) => {
        const values = lines.filter((l) => !l.soft || l.value <= (high ?? 0) * 1.6).map((l) => l.value);
        const min = Math.min(low ?? 0, 0, ...values);
        const max = Math.max(high ?? 1, ...values);
        return [min, max === min ? min + 1 : max + (max - min) * 0.08];
      },
    });
    const yAxis = (name: string): uPlot.Axis => ({
      scale: name,
      stroke: ink,
      grid: name === "y" ? grid : { show: false },
      ticks: grid,
      font: "12px system-ui",
      side: name === "y" ? 3 : 1,
      size: (_u, values) => Math.max(30, 16 + 7.2 * Math.max(0, ...(values ?? []).map((v) => v.length))),
      values: (_u, ticks) => ticks.map((v) => formatNumber(v)),
    });
    const bandPairs = props.series.flatMap((s, i) => {
      const low = s.band ? props.series.findIndex((t, j) => j > i && t.band === s.band) : -1;
      return low > 0 ? [{ series: [i + 1, low + 1] as [number, number], fill: (s.color ?? colorOf(i)) + "33" }] : [];
    });
    const options: uPlot.Options = {
      width: element.clientWidth,
      height,
      padding: [8, 24, 0, 0],
      tzDate: (ts) => (utc ? uPlot.tzDate(new Date(ts * 1000), "Etc/UTC") : new Date(ts * 1000)),
      legend: { show: false },
      cursor: { sync: { key: "fogwatch" }, drag: { x: props.zoom !== false, y: false, setScale: false } },
      scales: { x: { min: props.from / 1000, max: props.to / 1000 }, y: scale(props.lines ?? []), ...(right ? { right: scale([]) } : {}) },
      axes: [{ stroke: ink, grid, ticks: grid, font: "12px system-ui", values: timeTicks(!props.small), ...(props.small ? { size: 28 } : {}) }, yAxis("y"), ...(right ? [yAxis("right")] : [])],
      series: [
        {},
        ...props.series.map((s, i): uPlot.Series => {
          const color = s.color ?? colorOf(i);
          const dash = s.dashed ? [4, 4] : dashes[Math.floor(i / 8) % dashes.length];
          return {
            label: s.label,
            scale: s.axis === "right" ? "right" : "y",
            show: !hidden.has(s.label),
            stroke: color,
            width: s.band ? 0.7 : 1.6,
            ...(dash ? { dash } : {}),
            ...(props.kind === "stacked" ? { fill: color + "55" } : {}),
            ...(props.kind === "bars" ? { fill: color + "99", paths: uPlot.paths.bars!({ size: [0.8, 40] }) } : {}),
            points: { show: sparse && props.kind !== "bars" && !s.band, size: 5 },
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
        draw: [(u) => marks(u, props.lines ?? [], props.window, style.getPropertyValue("--bad"))],
      },
    };
    // Stacked layers are drawn from the top of the pile down.
    if (props.kind === "stacked") options.bands = props.series.slice(1).map((_s, i) => ({ series: [i + 2, i + 1] as [number, number] }));
    else if (bandPairs.length) options.bands = bandPairs;
    const made = new uPlot(options, data, element);
    plot.current = made;
    const tip = document.createElement("div");
    tip.className = "chart-tip";
    made.over.append(tip);
    made.over.addEventListener("mousemove", () => hover(made, tip, props.series, props.kind === "stacked" ? aligned : data, props.unit));
    made.over.addEventListener("mouseleave", () => (tip.hidden = true));
    tip.hidden = true;
    const back = () => props.zoom !== false && zoomOut();
    made.over.addEventListener("dblclick", back);
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [props.series, props.from, props.to, props.kind, props.lines, props.window?.from, props.window?.to, height, isDark, utc, hidden]);

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
    <figure class={"chart" + (props.small && props.series.length < 2 ? " bare" : "")}>
      <div ref={box} class="chart-box" role="img" aria-label={`${props.label}: ${props.series.length} series`} style={{ minHeight: `${height}px` }} />
      <figcaption class="legend">
        {(!props.small || props.series.length > 1) &&
          props.series.slice(0, 60).map((s, i) => (
            <button class={hidden.has(s.label) ? "off" : ""} aria-pressed={!hidden.has(s.label)} title="Click: show or hide. Shift-click: only this one." onClick={(e) => toggle(s.label, e.shiftKey)}>
              <i style={{ background: s.color ?? colorOf(i) }} />
              {s.label}
              <b>{lastValue(s, props.unit)}</b>
            </button>
          ))}
        <span class="grow" />
        {!props.small && props.series.length > 0 && (
          <>
            <button class="as-table" onClick={() => plot.current && savePicture(plot.current, props.label)}>PNG</button>
            <button class="as-table" onClick={() => download(props.label + ".csv", "text/csv", toCsv(["series", "time", "value"], props.series.flatMap((s) => s.times.map((t, i) => [s.label, new Date(t).toISOString(), s.values[i]]))))}>CSV</button>
          </>
        )}
        <button class="as-table" aria-expanded={asTable} aria-label={(asTable ? "Hide table of " : "Table of ") + props.label} onClick={() => setAsTable(!asTable)}>{asTable ? "Hide table" : "Table"}</button>
      </figcaption>
      {asTable && <ChartTable series={props.series} />}
    </figure>
  );
}

// The values under the pointer, the largest first.
function hover(u: uPlot, tip: HTMLElement, series: Series[], data: uPlot.AlignedData, unit: string | undefined) {
  const at = u.cursor.idx;
  tip.hidden = at === null || at === undefined || !series.length;
  if (tip.hidden) return;
  const rows = series.map((s, i) => ({ s, i, v: data[i + 1]?.[at!] })).filter((r) => r.v !== null && r.v !== undefined);
  rows.sort((a, b) => b.v! - a.v!);
  tip.replaceChildren(
    formatTime(data[0][at!]! * 1000, false),
    ...rows.slice(0, 8).map(({ s, i, v }) => {
      const line = document.createElement("p");
      const dot = document.createElement("i");
      dot.style.background = s.color ?? colorOf(i);
      line.append(dot, ` ${s.label.slice(0, 60)} `, Object.assign(document.createElement("b"), { textContent: formatNumber(v!) + (unit && unit !== "None" ? " " + unit : "") }));
      return line;
    }),
  );
  const left = u.cursor.left ?? 0;
  tip.style.left = left > u.over.clientWidth / 2 ? "" : `${left + 14}px`;
  tip.style.right = left > u.over.clientWidth / 2 ? `${u.over.clientWidth - left + 14}px` : "";
}

function savePicture(u: uPlot, name: string) {
  const source = u.ctx.canvas;
  const canvas = document.createElement("canvas");
  canvas.width = source.width;
  canvas.height = source.height;
  const context = canvas.getContext("2d")!;
  context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--surface");
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(source, 0, 0);
  canvas.toBlob((blob) => blob && download(name + ".png", "image/png", blob));
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
            {series.slice(0, 20).map((s) => <th scope="col" class="num">{s.label}</th>)}
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
