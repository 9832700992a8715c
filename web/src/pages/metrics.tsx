// Metrics explorer: browse namespaces and dimensions, chart rows with math, SEARCH, SQL, anomaly
// bands and the period before; make an alarm or a dashboard widget of what is seen.
import { useMemo, useState } from "preact/hooks";

import { cloudwatch, pages } from "../api/client";
import { go, param, setParams } from "../app/router";
import { account, region } from "../app/settings";
import { durationMs, range, refreshTick } from "../app/time";
import { Card, cli, Command, Dialog, Empty, Field, formatNumber, Page, Problem, quote, Tabs } from "../ui/basic";
import { Chart, colorOf, type Line } from "../ui/chart";
import { useLoad } from "../ui/load";
import { download, ListTable, Table, toCsv, type Column } from "../ui/table";
import { attempt } from "../ui/toast";
import { ExpressionDialog } from "./expressions";
import { metricText, parseRows, queriesOf, readMetrics, statistics, widgetOf, type Metric, type Row } from "./metric_data";

const sameMetric = (a: Metric | undefined, b: Metric) => a !== undefined && a.Namespace === b.Namespace && metricText(a) === metricText(b);
const before: [string, string][] = [["", "No comparison"], ["1h", "and 1 hour before"], ["1d", "and 1 day before"], ["1w", "and 1 week before"]];

export default function Metrics() {
  const text = param("rows").value;
  const rows = useMemo(() => parseRows(text), [text]);
  const kind = (param("kind", "line").value || "line") as "line" | "stacked" | "bars" | "number" | "table";
  const compare = param("compare").value;
  const [source, setSource] = useState(false);
  const [editing, setEditing] = useState<Row>();
  const [adding, setAdding] = useState(false);
  const save = (next: Row[]) => setParams({ rows: next.length ? JSON.stringify(next) : undefined }, true);
  const again = [text, range.value, region.value, account.value];
  const data = useLoad((s) => readMetrics(rows, range.value, s), again);
  const shift = durationMs(compare) ?? 0;
  const past = useLoad(async (s) => (shift ? (await readMetrics(rows, { from: range.value.from - shift, to: range.value.to - shift }, s)).series : []), [...again, shift]);
  const series = useMemo(() => {
    const now = data.value?.series ?? [];
    const old = (past.value ?? []).filter((p) => !p.band).map((p) => ({ ...p, label: `${p.label}, ${compare} before`, times: p.times.map((t) => t + shift), dashed: true, color: colorOf(Math.max(0, now.findIndex((n) => n.label === p.label))) }));
    return [...now, ...old];
  }, [data.value, past.value]);
  // Thresholds of the alarms that watch one of the rows.
  const alarms = useLoad(
    async (s) => {
      const metrics = rows.flatMap((r) => (r.metric ? [r.metric] : []));
      if (!metrics.length) return [];
      const found = await cloudwatch<{ MetricAlarms?: (Metric & { AlarmName: string; Threshold?: number })[] }>("DescribeAlarms", { AlarmTypes: ["MetricAlarm"], MaxRecords: 100 }, s);
      return (found.MetricAlarms ?? []).flatMap((a): Line[] => (a.Threshold !== undefined && a.MetricName && metrics.some((m) => sameMetric(m, a)) ? [{ value: a.Threshold, label: a.AlarmName }] : []));
    },
    [text, region.value, account.value],
  );
  const metrics = useLoad(
    (s) => pages<Metric>(async (token) => {
      const page = await cloudwatch<{ Metrics?: Metric[]; NextToken?: string }>("ListMetrics", { NextToken: token }, s);
      return { items: page.Metrics ?? [], next: page.NextToken };
    }, 20_000),
    [refreshTick.value, region.value, account.value],
  );
  const nextId = (prefix: string) => {
    for (let i = 1; ; i++) if (!rows.some((r) => r.id === prefix + i)) return prefix + i;
  };
  const turn = (metric: Metric) => {
    const same = rows.find((r) => sameMetric(r.metric, metric));
    save(same ? rows.filter((r) => r !== same) : [...rows, { id: nextId("m"), metric, stat: "Average" }]);
  };
  const add = (prefix: string, expression: string) => setEditing({ id: nextId(prefix), expression });
  const put = (row: Row) => save(rows.some((r) => r.id === row.id) ? rows.map((r) => (r.id === row.id ? row : r)) : [...rows, row]);
  const exportCsv = () => download("metrics.csv", "text/csv", toCsv(["series", "time", "value"], series.flatMap((s) => s.times.map((t, i) => [s.label, new Date(t).toISOString(), s.values[i]]))));
  return (
    <Page
      title="Metrics"
      actions={
        <>
          <select aria-label="Chart kind" value={kind} onChange={(e) => setParams({ kind: e.currentTarget.value })}>
            {["line", "stacked", "bars", "number", "table"].map((k) => <option>{k}</option>)}
          </select>
          <select aria-label="Compare" value={compare} onChange={(e) => setParams({ compare: e.currentTarget.value || undefined }, true)}>
            {before.map(([v, t]) => <option value={v}>{t}</option>)}
          </select>
          <button disabled={!series.length} onClick={exportCsv}>CSV</button>
          <button disabled={!rows.length} onClick={() => setSource(true)}>Source</button>
          <button disabled={!rows.length} onClick={() => setAdding(true)}>Add to dashboard</button>
          <button disabled={!rows.length} onClick={() => go(["alarms", "new"], { rows: text, type: rows.some((r) => r.metric && !r.hidden) ? undefined : "math" })}>Create alarm</button>
        </>
      }
    >
      <Card>
        {rows.length === 0 ? (
          <Empty title="Choose metrics below" text="or write an expression: math over ids, SEARCH(...), or SELECT ... (Metrics Insights)." command={metrics.value?.length === 0 ? cli("cloudwatch put-metric-data --namespace App --metric-name Latency --value 12 --unit Milliseconds") : undefined} />
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
          <Chart label="Metrics" series={series} from={range.value.from} to={range.value.to} height={320} kind={kind} lines={alarms.value ?? []} />
        )}
        {data.error && <Problem error={data.error} />}
        {data.value?.messages.map((m) => <p class="soft">{m}</p>)}
        {rows.length > 0 && <RowList rows={rows} onChange={save} onEdit={setEditing} onBand={(row) => save([...rows, { id: nextId("b"), expression: `ANOMALY_DETECTION_BAND(${row.id}, 2)`, label: `${row.metric?.MetricName ?? row.id} expected` }])} />}
        <div class="row run-row">
          <button onClick={() => add("e", rows.length ? `${rows[0]!.id} * 1` : "")}>Add math</button>
          <button onClick={() => add("s", "SEARCH('', 'Average', 60)")}>Add SEARCH</button>
          <button onClick={() => add("q", "SELECT AVG() FROM ")}>Add SQL</button>
          {rows.length > 0 && <button onClick={() => save([])}>Clear</button>}
        </div>
      </Card>
      <Browser metrics={metrics.value ?? []} chosen={rows} onTurn={turn} />
      {metrics.error && <Problem error={metrics.error} />}
      {editing && <ExpressionDialog row={editing} rows={rows} metrics={metrics.value ?? []} onSave={(expression) => expression.trim() && put({ ...editing, expression })} onClose={() => setEditing(undefined)} />}
      {adding && <AddToDashboard rows={rows} kind={kind} onClose={() => setAdding(false)} />}
      {source && (
        <Dialog title="GetMetricData" onClose={() => setSource(false)} wide>
          <Command text={cli(`cloudwatch get-metric-data --start-time ${Math.floor(range.value.from / 1000)} --end-time ${Math.ceil(range.value.to / 1000)} --metric-data-queries ${quote(JSON.stringify(queriesOf(rows, range.value)))}`)} />
          <pre class="raw" tabIndex={0}>{JSON.stringify(queriesOf(rows, range.value), null, 2)}</pre>
        </Dialog>
      )}
    </Page>
  );
}

const periods = [0, 1, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400];
const units = ["Seconds", "Milliseconds", "Microseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Bytes/Second", "Count", "Count/Second", "Percent", "None"];

function RowList({ rows, onChange, onEdit, onBand }: { rows: Row[]; onChange: (rows: Row[]) => void; onEdit: (row: Row) => void; onBand: (row: Row) => void }) {
  const edit = (row: Row, change: Partial<Row>) => onChange(rows.map((r) => (r === row ? { ...r, ...change } : r)));
  return (
    <div class="table-box run-row">
      <table class="rows">
        <thead>
          <tr><th>Show</th><th>Id</th><th>Metric or expression</th><th>Statistic</th><th>Period</th><th>Unit</th><th>Label</th><th>Axis</th><td class="head" /></tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr>
              <td><input type="checkbox" checked={!row.hidden} aria-label={`Show ${row.id}`} onChange={(e) => edit(row, { hidden: !e.currentTarget.checked })} /></td>
              <td class="row-id"><input type="color" value={row.color ?? (/BAND/i.test(row.expression ?? "") ? "#8a9aa3" : colorOf(i))} aria-label={`Colour of ${row.id}`} onChange={(e) => edit(row, { color: e.currentTarget.value })} /> <code>{row.id}</code></td>
              <td>
                {row.metric ? (
                  <span title={row.metric.Namespace}><small>{row.metric.Namespace}</small> {metricText(row.metric)}</span>
                ) : (
                  <span class="row tight"><input class="mono grow expression" value={row.expression} aria-label={`Expression ${row.id}`} onChange={(e) => edit(row, { expression: e.currentTarget.value })} /><button onClick={() => onEdit(row)}>Edit</button></span>
                )}
              </td>
              <td>{row.metric && <input list="statistics" value={row.stat} size={8} aria-label={`Statistic ${row.id}`} onChange={(e) => edit(row, { stat: e.currentTarget.value })} />}</td>
              <td>
                <select value={String(row.period ?? 0)} aria-label={`Period ${row.id}`} onChange={(e) => edit(row, { period: Number(e.currentTarget.value) })}>
                  {periods.map((p) => <option value={String(p)}>{p === 0 ? "auto" : p < 60 ? `${p} s` : p < 3600 ? `${p / 60} min` : `${p / 3600} h`}</option>)}
                </select>
              </td>
              <td>{row.metric && <select value={row.unit ?? ""} aria-label={`Unit ${row.id}`} onChange={(e) => edit(row, { unit: e.currentTarget.value })}><option value="">any</option>{units.map((u) => <option>{u}</option>)}</select>}</td>
              <td><input value={row.label ?? ""} size={12} aria-label={`Label ${row.id}`} onChange={(e) => edit(row, { label: e.currentTarget.value })} /></td>
              <td><button aria-label={`Axis of ${row.id}: ${row.axis ?? "left"}`} onClick={() => edit(row, { axis: row.axis === "right" ? "left" : "right" })}>{row.axis ?? "left"}</button></td>
              <td class="row tight">
                {row.metric && <button onClick={() => onBand(row)} title="Show what is expected (ANOMALY_DETECTION_BAND)">Band</button>}
                <button class="icon" aria-label={`Remove ${row.id}`} onClick={() => onChange(rows.filter((r) => r !== row))}>×</button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <datalist id="statistics">{statistics.map((s) => <option value={s} />)}</datalist>
    </div>
  );
}

function AddToDashboard({ rows, kind, onClose }: { rows: Row[]; kind: string; onClose: () => void }) {
  const list = useLoad(async (s) => ((await cloudwatch<{ DashboardEntries?: { DashboardName: string }[] }>("ListDashboards", {}, s)).DashboardEntries ?? []).map((d) => d.DashboardName), []);
  const [name, setName] = useState("");
  const [title, setTitle] = useState("");
  const add = async () => {
    const done = await attempt(`Added to ${name}`, async () => {
      const body = list.value?.includes(name) ? (JSON.parse((await cloudwatch<{ DashboardBody: string }>("GetDashboard", { DashboardName: name })).DashboardBody) as { widgets: { y?: number; height?: number }[] }) : { widgets: [] };
      const y = Math.max(0, ...body.widgets.map((w) => (w.y ?? 0) + (w.height ?? 6)));
      const view = { number: "singleValue", bars: "bar" }[kind] ?? "timeSeries";
      body.widgets.push({ type: "metric", x: 0, y, width: 12, height: 6, properties: { title: title || "Metrics", region: region.value, view, stacked: kind === "stacked", metrics: rows.map(widgetOf) } } as (typeof body.widgets)[number]);
      await cloudwatch("PutDashboard", { DashboardName: name, DashboardBody: JSON.stringify(body) });
    });
    if (done) go(["dashboards", name], {});
  };
  return (
    <Dialog title="Add to dashboard" onClose={onClose}>
      <form class="form" onSubmit={(e) => { e.preventDefault(); void add(); }}>
        <Field label="Dashboard" hint="an existing or a new name"><input list="dashboards" required pattern="[A-Za-z0-9\-_]+" value={name} onInput={(e) => setName(e.currentTarget.value)} /><datalist id="dashboards">{list.value?.map((d) => <option value={d} />)}</datalist></Field>
        <Field label="Title"><input value={title} onInput={(e) => setTitle(e.currentTarget.value)} /></Field>
        <button class="primary">Add</button>
      </form>
    </Dialog>
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

function Browser({ metrics, chosen, onTurn }: { metrics: Metric[]; chosen: Row[]; onTurn: (metric: Metric) => void }) {
  const namespace = param("ns").value;
  const by = param("by").value;
  const namespaces = useMemo(() => [...Map.groupBy(metrics, (m) => m.Namespace)].map(([name, list]) => [name, list.length] as const).sort((a, b) => a[0].localeCompare(b[0])), [metrics]);
  const here = useMemo(() => metrics.filter((m) => !namespace || m.Namespace === namespace), [metrics, namespace]);
  // The sets of dimension names that occur: "ModelName", "Host, Device".
  const dimensionSet = (m: Metric) => (m.Dimensions ?? []).map((d) => d.Name).join(", ") || "no dimensions";
  const sets = useMemo(() => [...Map.groupBy(here, dimensionSet)].map(([name, list]) => [name, list.length] as const).sort((a, b) => a[0].localeCompare(b[0])), [here]);
  const rows = useMemo(() => here.filter((m) => !by || dimensionSet(m) === by), [here, by]);
  const isChosen = (m: Metric) => chosen.some((r) => sameMetric(r.metric, m));
  const columns = useMemo((): Column<Metric>[] => [
    { id: "on", title: "", value: (m) => (isChosen(m) ? 1 : 0), cell: (m) => <input type="checkbox" checked={isChosen(m)} aria-label={metricText(m)} onChange={() => onTurn(m)} />, width: "36px" },
    ...(namespace ? [] : [{ id: "ns", title: "Namespace", value: (m: Metric) => m.Namespace }]),
    { id: "name", title: "Metric", value: (m) => m.MetricName },
    { id: "dims", title: "Dimensions", value: (m) => (m.Dimensions ?? []).map((d) => `${d.Name}=${d.Value}`).join(", ") },
  ], [namespace, chosen]);
  return (
    <Card title="Browse">
      <Tabs tabs={[["", `All (${formatNumber(metrics.length)})`] as const, ...namespaces.map(([n, c]) => [n, `${n} (${formatNumber(c)})`] as const)]} at={namespace} onChange={(n) => setParams({ ns: n || undefined, by: undefined }, true)} />
      {namespace && sets.length > 1 && (
        <div class="row run-row">
          {sets.map(([name, count]) => <button class={by === name ? "on" : ""} aria-pressed={by === name} onClick={() => setParams({ by: by === name ? undefined : name }, true)}>{name} ({formatNumber(count)})</button>)}
        </div>
      )}
      <ListTable name="metrics" label="Metrics" cli={"cloudwatch list-metrics" + (namespace ? ` --namespace ${quote(namespace)}` : "")} columns={columns} rows={rows} rowKey={(m) => m.Namespace + " " + metricText(m)} onRow={onTurn} height={420} />
    </Card>
  );
}
