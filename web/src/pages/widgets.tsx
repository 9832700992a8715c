// The widgets of a dashboard: every type of the body's syntax, drawn.
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";

import { describeAlarms } from "../api/alarms";
import { runQuery, type ResultRow } from "../api/query";
import { href } from "../app/router";
import { account, region } from "../app/settings";
import { range, refreshTick } from "../app/time";
import { Badge, formatNumber, Problem, stateTone } from "../ui/basic";
import { Chart, colorOf, type Line, type Series } from "../ui/chart";
import { useLoad } from "../ui/load";
import { Table, type Column } from "../ui/table";
import { chartSeries } from "./insights_chart";
import { readMetrics, type Row } from "./metric_data";

export interface Widget {
  type: string;
  x?: number;
  y?: number;
  width?: number;
  height?: number;
  properties: Record<string, unknown>;
}

// "metrics" of a widget: each row is [namespace, name, dim, value, ..., {options}] where "." repeats
// the cell above and "..." the rest of the row above; an expression is [{expression}].
export function widgetRows(properties: Record<string, unknown>): Row[] {
  const rows: Row[] = [];
  let above: string[] = [];
  let n = 0;
  for (const entry of (properties["metrics"] as unknown[][] | undefined) ?? []) {
    if (!Array.isArray(entry)) continue;
    const options = (typeof entry.at(-1) === "object" ? entry.at(-1) : {}) as Record<string, unknown>;
    const cells = entry.filter((c): c is string => typeof c === "string");
    const shared = {
      id: String(options["id"] ?? `w${++n}`),
      ...(options["label"] ? { label: String(options["label"]) } : {}),
      ...(options["color"] ? { color: String(options["color"]) } : {}),
      ...(options["yAxis"] === "right" ? { axis: "right" as const } : {}),
      period: Number(options["period"] ?? properties["period"] ?? 0),
      hidden: options["visible"] === false,
    };
    if (options["expression"]) {
      rows.push({ ...shared, expression: String(options["expression"]) });
      continue;
    }
    const full: string[] = [];
    cells.forEach((cell, i) => {
      if (cell === "...") full.push(...above.slice(i, above.length - (cells.length - i - 1)));
      else full.push(cell === "." ? (above[i] ?? "") : cell);
    });
    above = full;
    const dimensions = [];
    for (let i = 2; i + 1 < full.length; i += 2) dimensions.push({ Name: full[i]!, Value: full[i + 1]! });
    rows.push({ ...shared, metric: { Namespace: full[0] ?? "", MetricName: full[1] ?? "", Dimensions: dimensions }, stat: String(options["stat"] ?? properties["stat"] ?? "Average") });
  }
  return rows;
}

// An explorer widget asks for metrics by name and splits them by resource: a SEARCH each.
function explorerRows(properties: Record<string, unknown>): Row[] {
  const metrics = (properties["metrics"] as { metricName?: string; resourceType?: string; stat?: string }[] | undefined) ?? [];
  return metrics.map((m, i) => ({
    id: `x${i}`,
    expression: `SEARCH('${m.resourceType ? `Namespace="${m.resourceType.split("::").slice(0, 2).join("/")}" ` : ""}MetricName="${(m.metricName ?? "").replaceAll("'", "\\'")}"', '${m.stat ?? "Average"}', ${Number(properties["period"] ?? 300)})`,
  }));
}

export function WidgetView({ widget }: { widget: Widget }) {
  const p = widget.properties ?? {};
  const title = String(p["title"] ?? "");
  const options = (p["widgetOptions"] ?? {}) as Record<string, unknown>;
  return (
    <>
      {title && <h2>{title}</h2>}
      {widget.type === "metric" ? (
        <MetricWidget rows={widgetRows} properties={p} height={widget.height ?? 6} titled={!!title} />
      ) : widget.type === "explorer" ? (
        <MetricWidget rows={explorerRows} properties={{ ...p, ...options }} height={widget.height ?? 6} titled={!!title} />
      ) : widget.type === "text" ? (
        <Markdown text={String(p["markdown"] ?? "")} />
      ) : widget.type === "alarm" ? (
        <AlarmWidget properties={p} />
      ) : widget.type === "log" ? (
        <LogWidget properties={p} height={widget.height ?? 6} />
      ) : (
        <p class="soft">A widget of type {String(widget.type)} calls a Lambda function, which this server has not. <code>{String(p["endpoint"] ?? "")}</code></p>
      )}
    </>
  );
}

const bodyHeight = (height: number, titled: boolean) => Math.max(60, height * 56 - (titled ? 46 : 22) - 50);

function MetricWidget({ rows: read, properties: p, height, titled }: { rows: (p: Record<string, unknown>) => Row[]; properties: Record<string, unknown>; height: number; titled: boolean }) {
  const text = JSON.stringify(p);
  const rows = useMemo(() => read(p), [text]);
  const data = useLoad((s) => readMetrics(rows, range.value, s), [rows, range.value, region.value, account.value]);
  const lines = useMemo(() => {
    const marks = ((p["annotations"] as { horizontal?: (Line | Line[])[] } | undefined)?.horizontal ?? []).flat();
    return marks.map((m) => ({ value: Number(m.value), label: String(m.label ?? ""), ...(m.color ? { color: m.color } : {}) }));
  }, [text]);
  const series = useMemo(() => data.value?.series ?? [], [data.value]);
  if (data.error) return <Problem error={data.error} />;
  const view = String(p["view"] ?? "timeSeries");
  if (view === "singleValue")
    return <div class="numbers">{series.map((s) => <div><span class="stat-label">{s.label}</span><span class="stat-value">{formatNumber(last(s))}</span></div>)}</div>;
  if (view === "gauge") return <div class="numbers">{series.map((s, i) => <Gauge series={s} color={s.color ?? colorOf(i)} bounds={((p["yAxis"] as { left?: { min?: number; max?: number } } | undefined)?.left ?? {})} />)}</div>;
  if (view === "pie") return <Pie parts={series.map((s) => [s.label, s.values.reduce<number>((n, v) => n + (v ?? 0), 0)])} />;
  if (view === "bar") return <Bars parts={series.map((s) => [s.label, last(s)])} />;
  if (view === "table") return <Table label="Values" columns={valueColumns} rows={series} rowKey={(s) => s.label} height={bodyHeight(height, titled)} />;
  return <Chart label={String(p["title"] ?? "Metrics")} series={series} from={range.value.from} to={range.value.to} height={bodyHeight(height, titled)} kind={p["stacked"] ? "stacked" : "line"} lines={lines} />;
}

const last = (s: Series) => s.values.findLast((v) => v !== null && v !== undefined) ?? NaN;
const some = (s: Series) => s.values.filter((v): v is number => v !== null && v !== undefined);
const valueColumns: Column<Series>[] = [
  { id: "label", title: "Series", value: (s) => s.label },
  { id: "last", title: "Last", numeric: true, value: last, cell: (s) => formatNumber(last(s)) },
  { id: "min", title: "Minimum", numeric: true, value: (s) => some(s).reduce((a, b) => Math.min(a, b), Infinity), cell: (s) => formatNumber(some(s).reduce((a, b) => Math.min(a, b), Infinity)) },
  { id: "max", title: "Maximum", numeric: true, value: (s) => some(s).reduce((a, b) => Math.max(a, b), -Infinity), cell: (s) => formatNumber(some(s).reduce((a, b) => Math.max(a, b), -Infinity)) },
];

function arc(from: number, to: number, r: number): string {
  const point = (a: number) => `${(50 + r * Math.sin(a)).toFixed(2)} ${(50 - r * Math.cos(a)).toFixed(2)}`;
  return `M${point(from)}A${r} ${r} 0 ${to - from > Math.PI ? 1 : 0} 1 ${point(to)}`;
}

function Gauge({ series, color, bounds }: { series: Series; color: string; bounds: { min?: number; max?: number } }) {
  const value = last(series);
  const low = bounds.min ?? 0;
  const high = bounds.max ?? Math.max(1, ...some(series));
  const share = Math.max(0, Math.min(1, (value - low) / (high - low))) || 0;
  const begin = -Math.PI * 0.7;
  return (
    <svg viewBox="0 0 100 84" class="gauge" role="img" aria-label={`${series.label}: ${formatNumber(value)}`}>
      <path d={arc(begin, -begin, 40)} class="track" />
      {share > 0 && <path d={arc(begin, begin + share * -2 * begin, 40)} style={{ stroke: color }} />}
      <text x="50" y="55" text-anchor="middle" class="value">{formatNumber(Math.round(value * 100) / 100)}</text>
      <text x="50" y="70" text-anchor="middle" class="name">{series.label.slice(0, 24)}</text>
    </svg>
  );
}

function Pie({ parts }: { parts: [string, number][] }) {
  const kept = parts.filter(([, v]) => v > 0);
  const total = kept.reduce((n, [, v]) => n + v, 0);
  let angle = 0;
  return (
    <div class="pie">
      <svg viewBox="0 0 100 100" role="img" aria-label={kept.map(([name, v]) => `${name}: ${formatNumber(v)}`).join(", ")}>
        {kept.map(([, v], i) => {
          const from = angle;
          angle += (v / total) * 2 * Math.PI;
          return <path d={arc(from, Math.min(angle, from + 2 * Math.PI - 0.001), 34)} style={{ stroke: colorOf(i) }} />;
        })}
      </svg>
      <ul class="plain">{kept.map(([name, v], i) => <li class="row tight"><i class="dot" style={{ background: colorOf(i) }} /> <span class="grow">{name}</span> <b>{formatNumber(Math.round(v * 100) / 100)}</b> <small>{((100 * v) / total).toFixed(1)} %</small></li>)}</ul>
      {kept.length === 0 && <p class="none">Nothing in this time.</p>}
    </div>
  );
}

function Bars({ parts }: { parts: [string, number][] }) {
  const top = Math.max(1e-9, ...parts.map(([, v]) => (Number.isFinite(v) ? v : 0)));
  return (
    <ul class="plain hbars">
      {parts.map(([name, v], i) => <li><span class="row tight"><span class="grow">{name}</span> <b>{formatNumber(v)}</b></span><i style={{ width: `${(100 * (Number.isFinite(v) ? v : 0)) / top}%`, background: colorOf(i) }} /></li>)}
      {parts.length === 0 && <p class="none">Nothing in this time.</p>}
    </ul>
  );
}

function AlarmWidget({ properties }: { properties: Record<string, unknown> }) {
  const names = ((properties["alarms"] as string[] | undefined) ?? []).map((arn) => String(arn).split(":alarm:").at(-1)!);
  const alarms = useLoad(async (s) => {
    if (!names.length) return [];
    return (await describeAlarms({ AlarmNames: names }, s)).items;
  }, [names.join(), refreshTick.value]);
  return (
    <ul class="plain">
      {alarms.value?.map((a) => <li class="row"><Badge tone={stateTone(a.StateValue)}>{a.StateValue.replace("_", " ")}</Badge> <a href={href(["alarms", a.AlarmName])}>{a.AlarmName}</a></li>)}
      {alarms.value?.length === 0 && <p class="none">No such alarm.</p>}
    </ul>
  );
}

function LogWidget({ properties, height }: { properties: Record<string, unknown>; height: number }) {
  const text = String(properties["query"] ?? "");
  const view = String(properties["view"] ?? "table");
  const found = useLoad((s) => runQuery({ from: range.value.from, to: range.value.to, text }, s), [text, range.value, region.value, account.value]);
  const rows = found.value?.rows ?? [];
  const names = (found.value?.columns ?? []).filter((n) => n !== "@ptr").slice(0, 40);
  const columns = useMemo(() => names.map((n): Column<ResultRow> => ({ id: n, title: n, value: (r) => (r[n] !== undefined && r[n] !== "" && Number.isFinite(Number(r[n])) ? Number(r[n]) : r[n]), cell: (r) => r[n]?.slice(0, 500) })), [names.join("\n")]);
  const series = useMemo(() => (found.value ? chartSeries(found.value) : []), [found.value]);
  if (found.error) return <Problem error={found.error} />;
  const number = names.find((n) => rows.some((r) => Number.isFinite(Number(r[n])) && r[n] !== ""));
  const parts = rows.slice(0, 12).map((r): [string, number] => [names.filter((n) => n !== number).map((n) => r[n]).join(" "), Number(r[number ?? ""])]);
  if (view === "timeSeries") return <Chart label={String(properties["title"] ?? "Log query")} series={series} from={range.value.from} to={range.value.to} height={bodyHeight(height, true)} kind={properties["stacked"] ? "stacked" : "line"} />;
  if (view === "pie") return <Pie parts={parts} />;
  if (view === "bar") return <Bars parts={parts} />;
  return <Table label="Log query" columns={columns} rows={rows} rowKey={(_r, i) => String(i)} height={bodyHeight(height, true) + 40} />;
}

// The part of Markdown that dashboards use: headings, lists, tables, emphasis, code, links, rules.
// Everything becomes text nodes: nothing in it can run.
export function Markdown({ text }: { text: string }) {
  const inline = (line: string) =>
    line.split(/(\*\*[^*]+\*\*|\*[^*\s][^*]*\*|`[^`]+`|\[[^\]]+\]\([^)\s]+\))/).map((part) => {
      if (/^\*\*.+\*\*$/.test(part)) return <b>{part.slice(2, -2)}</b>;
      if (/^\*.+\*$/.test(part)) return <em>{part.slice(1, -1)}</em>;
      if (/^`.*`$/.test(part)) return <code>{part.slice(1, -1)}</code>;
      const link = /^\[([^\]]+)\]\(([^)\s]+)\)$/.exec(part);
      if (link) return /^(https?:|#)/.test(link[2]!) ? <a href={link[2]} rel="noopener noreferrer">{link[1]}</a> : <>{link[1]}</>;
      return part;
    });
  const cells = (line: string) => line.trim().replace(/^\||\|$/g, "").split("|").map((c) => c.trim());
  const blocks: ComponentChildren[] = [];
  const lines = text.split("\n");
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    const heading = /^(#{1,6})\s+(.*)$/.exec(line);
    if (heading) blocks.push(heading[1]!.length < 2 ? <h2>{inline(heading[2]!)}</h2> : <h3>{inline(heading[2]!)}</h3>);
    else if (/^\s*\|/.test(line) && /^[\s|:-]+$/.test(lines[i + 1] ?? "x")) {
      const head = cells(line);
      const rows = [];
      for (i += 2; i < lines.length && /^\s*\|/.test(lines[i]!); i++) rows.push(cells(lines[i]!));
      i--;
      blocks.push(<table class="event"><thead><tr>{head.map((c) => <th scope="col">{inline(c)}</th>)}</tr></thead><tbody>{rows.map((r) => <tr>{r.map((c) => <td>{inline(c)}</td>)}</tr>)}</tbody></table>);
    } else if (/^\s*([-*]|\d+\.)\s+/.test(line)) {
      const items = [];
      for (; i < lines.length && /^\s*([-*]|\d+\.)\s+/.test(lines[i]!); i++) items.push(lines[i]!.replace(/^\s*([-*]|\d+\.)\s+/, ""));
      i--;
      blocks.push(<ul>{items.map((item) => <li>{inline(item)}</li>)}</ul>);
    } else if (/^-{3,}$/.test(line.trim())) blocks.push(<hr />);
    else if (line.trim()) blocks.push(<p>{inline(line)}</p>);
  }
  return <div class="markdown">{blocks}</div>;
}
