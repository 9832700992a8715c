// Metrics explorer: browse namespaces and dimensions, chart rows with math, SEARCH and SQL.
import { useMemo, useState } from "preact/hooks";

import { cloudwatch, pages } from "../api/client";
import { go, param, setParams } from "../app/router";
import { account, region } from "../app/settings";
import { range, refreshTick } from "../app/time";
import { Card, cli, CliButton, Command, Dialog, Empty, formatNumber, Page, Problem, quote, Search, Tabs } from "../ui/basic";
import { Chart, colorOf } from "../ui/chart";
import { useLoad } from "../ui/load";
import { download, Table, toCsv, type Column } from "../ui/table";
import { metricText, queriesOf, readMetrics, statistics, type Metric, type Row } from "./metric_data";

function parseRows(text: string): Row[] {
  try {
    return text ? (JSON.parse(text) as Row[]) : [];
  } catch {
    return [];
  }
}

export default function Metrics() {
  const text = param("rows").value;
  const rows = useMemo(() => parseRows(text), [text]);
  const kind = (param("kind", "line").value || "line") as "line" | "stacked" | "bars" | "number" | "table";
  const [source, setSource] = useState(false);
  const save = (next: Row[]) => setParams({ rows: next.length ? JSON.stringify(next) : undefined }, true);
  const data = useLoad((s) => readMetrics(rows, range.value, s), [text, range.value, region.value, account.value]);
  const series = data.value?.series ?? [];
  const nextId = (prefix: string) => {
    for (let i = 1; ; i++) if (!rows.some((r) => r.id === prefix + i)) return prefix + i;
  };
  const addMetric = (metric: Metric) => {
    const same = rows.find((r) => r.metric && metricText(r.metric) === metricText(metric) && r.metric.Namespace === metric.Namespace);
    save(same ? rows.filter((r) => r !== same) : [...rows, { id: nextId("m"), metric, stat: "Average" }]);
  };
  const exportCsv = () => download("metrics.csv", "text/csv", toCsv(["series", "time", "value"], series.flatMap((s) => s.times.map((t, i) => [s.label, new Date(t).toISOString(), s.values[i]]))));
  return (
    <Page
      title="Metrics"
      actions={
        <>
          <select aria-label="Chart kind" value={kind} onChange={(e) => setParams({ kind: e.currentTarget.value })}>
            {["line", "stacked", "bars", "number", "table"].map((k) => <option>{k}</option>)}
          </select>
          <button disabled={!series.length} onClick={exportCsv}>CSV</button>
          <button disabled={!rows.length} onClick={() => setSource(true)}>Source</button>
          <button disabled={!rows.some((r) => r.metric)} onClick={() => go(["alarms", "new"], { rows: text })}>Create alarm</button>
        </>
      }
    >
      <Card>
        {rows.length === 0 ? (
          <Empty title="Choose metrics below" text="or add an expression: math over ids, SEARCH(...), or SELECT ... (Metrics Insights)." command={cli("cloudwatch put-metric-data --namespace App --metric-name Latency --value 12 --unit Milliseconds")} />
        ) : kind === "number" ? (
          <div class="stats">
            {series.map((s) => (
              <div class="stat">
                <span class="stat-label">{s.label}</span>
                <span class="stat-value">{s.values.length ? formatNumber(s.values.at(-1) ?? NaN) : "–"}</span>
              </div>
            ))}
          </div>
        ) : kind === "table" ? (
          <SeriesTable series={series} />
        ) : (
          <Chart label="Metrics" series={series} from={range.value.from} to={range.value.to} height={320} kind={kind} />
        )}
        {data.error && <Problem error={data.error} />}
        {data.value?.messages.map((m) => <p class="soft">{m}</p>)}
      </Card>
      {rows.length > 0 && (
        <Card title="Rows">
          <RowList rows={rows} onChange={save} />
        </Card>
      )}
      <div class="row">
        <button onClick={() => save([...rows, { id: nextId("e"), expression: rows.length ? `${rows[0]!.id} * 1` : "SEARCH('MetricName=\"Latency\"', 'Average', 60)" }])}>Add math or SEARCH</button>
        <button onClick={() => save([...rows, { id: nextId("q"), expression: 'SELECT AVG(Latency) FROM "App" GROUP BY Host' }])}>Add SQL</button>
        {rows.length > 0 && <button onClick={() => save([])}>Clear</button>}
      </div>
      <Browser chosen={rows} onTurn={addMetric} />
      {source && (
        <Dialog title="GetMetricData" onClose={() => setSource(false)} wide>
          <Command text={cli(`cloudwatch get-metric-data --start-time ${Math.floor(range.value.from / 1000)} --end-time ${Math.ceil(range.value.to / 1000)} --metric-data-queries ${quote(JSON.stringify(queriesOf(rows, range.value)))}`)} />
          <pre class="raw" tabIndex={0}>{JSON.stringify(queriesOf(rows, range.value), null, 2)}</pre>
        </Dialog>
      )}
    </Page>
  );
}

export function RowList({ rows, onChange }: { rows: Row[]; onChange: (rows: Row[]) => void }) {
  const edit = (row: Row, change: Partial<Row>) => onChange(rows.map((r) => (r === row ? { ...r, ...change } : r)));
  return (
    <div class="table-box">
      <table>
        <thead>
          <tr><th>Show</th><th>Id</th><th>Metric or expression</th><th>Statistic</th><th>Period</th><th>Label</th><th /></tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr>
              <td><input type="checkbox" checked={!row.hidden} aria-label={`Show ${row.id}`} onChange={(e) => edit(row, { hidden: !e.currentTarget.checked })} /></td>
              <td><i class="dot" style={{ background: row.color ?? colorOf(i) }} /> <code>{row.id}</code></td>
              <td>
                {row.metric ? (
                  <span title={row.metric.Namespace}><small>{row.metric.Namespace}</small> {metricText(row.metric)}</span>
                ) : (
                  <input class="mono grow expression" value={row.expression} aria-label={`Expression ${row.id}`} onChange={(e) => edit(row, { expression: e.currentTarget.value })} />
                )}
              </td>
              <td>
                {row.metric && (
                  <>
                    <input list="statistics" value={row.stat} size={8} aria-label={`Statistic ${row.id}`} onChange={(e) => edit(row, { stat: e.currentTarget.value })} />
                  </>
                )}
              </td>
              <td>
                <select value={String(row.period ?? 0)} aria-label={`Period ${row.id}`} onChange={(e) => edit(row, { period: Number(e.currentTarget.value) })}>
                  {[0, 1, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400].map((p) => <option value={String(p)}>{p === 0 ? "auto" : p < 60 ? `${p} s` : p < 3600 ? `${p / 60} min` : `${p / 3600} h`}</option>)}
                </select>
              </td>
              <td><input value={row.label ?? ""} size={14} aria-label={`Label ${row.id}`} onChange={(e) => edit(row, e.currentTarget.value ? { label: e.currentTarget.value } : { label: "" })} /></td>
              <td><button class="icon" aria-label={`Remove ${row.id}`} onClick={() => onChange(rows.filter((r) => r !== row))}>×</button></td>
            </tr>
          ))}
        </tbody>
      </table>
      <datalist id="statistics">{statistics.map((s) => <option value={s} />)}</datalist>
    </div>
  );
}

function SeriesTable({ series }: { series: { label: string; values: (number | null)[] }[] }) {
  const numbers = (s: { values: (number | null)[] }) => s.values.filter((v): v is number => v !== null);
  const columns: Column<(typeof series)[number]>[] = [
    { id: "label", title: "Series", value: (s) => s.label },
    { id: "last", title: "Last", numeric: true, value: (s) => numbers(s).at(-1), cell: (s) => formatNumber(numbers(s).at(-1) ?? NaN) },
    { id: "min", title: "Minimum", numeric: true, value: (s) => Math.min(...numbers(s)), cell: (s) => formatNumber(Math.min(...numbers(s))) },
    { id: "max", title: "Maximum", numeric: true, value: (s) => Math.max(...numbers(s)), cell: (s) => formatNumber(Math.max(...numbers(s))) },
    { id: "avg", title: "Average", numeric: true, value: (s) => numbers(s).reduce((a, b) => a + b, 0) / numbers(s).length, cell: (s) => formatNumber(numbers(s).reduce((a, b) => a + b, 0) / numbers(s).length) },
    { id: "n", title: "Points", numeric: true, value: (s) => numbers(s).length },
  ];
  return <Table label="Series" columns={columns} rows={series} rowKey={(s) => s.label} height={360} />;
}

function Browser({ chosen, onTurn }: { chosen: Row[]; onTurn: (metric: Metric) => void }) {
  const namespace = param("ns").value;
  const filter = param("filter").value;
  const metrics = useLoad(
    (s) => pages<Metric>(async (token) => {
      const page = await cloudwatch<{ Metrics?: Metric[]; NextToken?: string }>("ListMetrics", { ...(namespace ? { Namespace: namespace } : {}), NextToken: token }, s);
      return { items: page.Metrics ?? [], next: page.NextToken };
    }, 20_000),
    [namespace, refreshTick.value, region.value, account.value],
  );
  const namespaces = useMemo(() => {
    const counts = new Map<string, number>();
    for (const m of metrics.value ?? []) counts.set(m.Namespace, (counts.get(m.Namespace) ?? 0) + 1);
    return [...counts].sort((a, b) => a[0].localeCompare(b[0]));
  }, [metrics.value]);
  const isChosen = (m: Metric) => chosen.some((r) => r.metric && r.metric.Namespace === m.Namespace && metricText(r.metric) === metricText(m));
  const columns: Column<Metric>[] = [
    { id: "on", title: "", value: (m) => (isChosen(m) ? 1 : 0), cell: (m) => <input type="checkbox" checked={isChosen(m)} aria-label={metricText(m)} onChange={() => onTurn(m)} />, width: "36px" },
    ...(namespace ? [] : [{ id: "ns", title: "Namespace", value: (m: Metric) => m.Namespace }]),
    { id: "name", title: "Metric", value: (m) => m.MetricName },
    { id: "dims", title: "Dimensions", value: (m) => (m.Dimensions ?? []).map((d) => `${d.Name}=${d.Value}`).join(", ") },
  ];
  return (
    <Card title="Browse" actions={<CliButton line={"cloudwatch list-metrics" + (namespace ? ` --namespace ${quote(namespace)}` : "")} />}>
      <Tabs tabs={[["", "All"] as const, ...namespaces.map(([n, c]) => [n, `${n} (${formatNumber(c)})`] as const)]} at={namespace} onChange={(n) => setParams({ ns: n || undefined }, true)} />
      <div class="row run-row"><Search label="Filter metrics" value={filter} onInput={(v) => setParams({ filter: v })} /></div>
      {metrics.error && <Problem error={metrics.error} />}
      <Table label="Metrics" columns={columns} rows={metrics.value ?? []} rowKey={(m) => m.Namespace + " " + metricText(m)} filter={filter} onRow={onTurn} height={420} />
    </Card>
  );
}
