// Metric queries: how a row of the explorer, a dashboard widget and an alarm become GetMetricData.
import { cloudwatch } from "../api/client";
import type { Range } from "../app/time";
import { periodFor } from "../app/time";
import type { Series } from "../ui/chart";

export interface Dimension {
  Name: string;
  Value: string;
}
export interface Metric {
  Namespace: string;
  MetricName: string;
  Dimensions?: Dimension[];
}
// One line of the explorer: a metric with a statistic, or an expression (math, SEARCH, SQL).
export interface Row {
  id: string;
  metric?: Metric;
  expression?: string;
  stat?: string;
  period?: number; // seconds; 0 or absent: chosen by the range
  label?: string;
  unit?: string;
  hidden?: boolean;
  color?: string;
  axis?: "left" | "right";
}

interface DataResult {
  Id: string;
  Label: string;
  Timestamps: number[];
  Values: number[];
  StatusCode?: string;
  Messages?: { Code: string; Value: string }[];
}

export interface Data {
  series: (Series & { id: string })[];
  messages: string[];
}

export function queriesOf(rows: Row[], range: Range) {
  const auto = Math.max(60, periodFor(range));
  return rows.map((row) => ({
    Id: row.id,
    ...(row.label ? { Label: row.label } : {}),
    ...(row.hidden ? { ReturnData: false } : { ReturnData: true }),
    ...(row.expression !== undefined
      ? { Expression: row.expression, ...(/^\s*SELECT\b/i.test(row.expression) || row.period ? { Period: row.period || auto } : {}) }
      : { MetricStat: { Metric: row.metric, Period: row.period || auto, Stat: row.stat ?? "Average", ...(row.unit ? { Unit: row.unit } : {}) } }),
  }));
}

export async function readMetrics(rows: Row[], range: Range, signal?: AbortSignal): Promise<Data> {
  if (rows.length === 0) return { series: [], messages: [] };
  const found: (Series & { id: string })[] = [];
  const byKey = new Map<string, Series>();
  const messages = new Set<string>();
  let token: string | undefined;
  do {
    const page: { MetricDataResults?: DataResult[]; Messages?: { Code: string; Value: string }[]; NextToken?: string } = await cloudwatch(
      "GetMetricData",
      { MetricDataQueries: queriesOf(rows, range), StartTime: Math.floor(range.from / 1000), EndTime: Math.ceil(range.to / 1000), ScanBy: "TimestampAscending", NextToken: token },
      signal,
    );
    // A SEARCH or a band gives several results of one id: they are told apart by their order.
    const order = new Map<string, number>();
    for (const r of page.MetricDataResults ?? []) {
      const n = (order.get(r.Id + r.Label) ?? 0) + 1;
      order.set(r.Id + r.Label, n);
      const key = `${r.Id} ${r.Label} ${n}`;
      const times = r.Timestamps.map((t) => t * 1000);
      const row = rows.find((x) => x.id === r.Id);
      const old = byKey.get(key);
      if (old) {
        old.times.push(...times);
        old.values.push(...r.Values);
      } else {
        const band = /ANOMALY_DETECTION_BAND\s*\(/i.test(row?.expression ?? "");
        const made = {
          id: r.Id, label: band ? `${row!.label || "expected"} ${n === 1 ? "high" : "low"}` : r.Label, times, values: [...r.Values],
          ...(row?.color ? { color: row.color } : band ? { color: "#8a9aa3" } : {}), ...(row?.axis ? { axis: row.axis } : {}), ...(band ? { band: r.Id } : {}),
        };
        byKey.set(key, made);
        found.push(made);
      }
      for (const m of r.Messages ?? []) messages.add(m.Value);
    }
    for (const m of page.Messages ?? []) messages.add(m.Value);
    token = page.NextToken;
  } while (token);
  // Labels name series in the chart: they must differ.
  const seen = new Map<string, number>();
  for (const s of found) {
    const n = (seen.get(s.label) ?? 0) + 1;
    seen.set(s.label, n);
    if (n > 1) s.label += ` (${n})`;
  }
  return { series: found, messages: [...messages] };
}

export function parseRows(text: string): Row[] {
  try {
    const rows = JSON.parse(text || "[]") as Row[];
    return Array.isArray(rows) ? rows : [];
  } catch {
    return [];
  }
}

// The row as an entry of a dashboard widget's "metrics".
export function widgetOf(row: Row): unknown[] {
  const options = {
    id: row.id,
    ...(row.expression !== undefined ? { expression: row.expression } : { stat: row.stat ?? "Average" }),
    ...(row.label ? { label: row.label } : {}), ...(row.period ? { period: row.period } : {}), ...(row.color ? { color: row.color } : {}), ...(row.hidden ? { visible: false } : {}), ...(row.axis === "right" ? { yAxis: "right" } : {}),
  };
  const m = row.metric;
  return m ? [m.Namespace, m.MetricName, ...(m.Dimensions ?? []).flatMap((d) => [d.Name, d.Value]), options] : [options];
}

export function metricText(m: Metric): string {
  return [m.MetricName, ...(m.Dimensions ?? []).map((d) => `${d.Name}=${d.Value}`)].join(" ");
}

export const statistics = ["Average", "Sum", "Minimum", "Maximum", "SampleCount", "p50", "p90", "p95", "p99", "p99.9", "tm99", "IQM"];
