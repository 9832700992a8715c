// Dashboards: the list; a dashboard drawn from its body; source editing with AWS's messages.
import { useEffect, useMemo, useState } from "preact/hooks";

import { ApiError, cloudwatch, logs } from "../api/client";
import { go, href, param, route, setParams } from "../app/router";
import { account, region } from "../app/settings";
import { formatTime, range, refreshTick, type Range } from "../app/time";
import { Badge, Card, cli, CliButton, Dialog, Empty, Field, formatBytes, formatNumber, Page, Problem, quote, Search, stateTone } from "../ui/basic";
import { Chart } from "../ui/chart";
import { useLoad } from "../ui/load";
import { Table, type Column } from "../ui/table";
import { attempt } from "../ui/toast";
import { readMetrics, type Row } from "./metric_data";

interface Entry {
  DashboardName: string;
  DashboardArn: string;
  LastModified: number;
  Size: number;
}
interface Widget {
  type: string;
  x?: number;
  y?: number;
  width?: number;
  height?: number;
  properties: Record<string, unknown>;
}
interface Body {
  widgets: Widget[];
  variables?: { type: string; property: string; id: string; label?: string; defaultValue?: string; values?: { value: string; label?: string }[]; visible?: boolean }[];
}

export default function Dashboards() {
  const name = route.value.path[1];
  return name ? <Dashboard name={name} /> : <List />;
}

function List() {
  const filter = param("filter").value;
  const [creating, setCreating] = useState(false);
  const list = useLoad(async (s) => (await cloudwatch<{ DashboardEntries?: Entry[] }>("ListDashboards", {}, s)).DashboardEntries ?? [], [refreshTick.value, account.value]);
  const columns: Column<Entry>[] = [
    { id: "name", title: "Dashboard", value: (d) => d.DashboardName, cell: (d) => <a href={href(["dashboards", d.DashboardName])}>{d.DashboardName}</a> },
    { id: "changed", title: "Changed", value: (d) => d.LastModified, cell: (d) => formatTime(d.LastModified * 1000, false) },
    { id: "size", title: "Size", numeric: true, value: (d) => d.Size, cell: (d) => formatBytes(d.Size) },
  ];
  return (
    <Page title="Dashboards" actions={<><CliButton line="cloudwatch list-dashboards" /><button class="primary" onClick={() => setCreating(true)}>Create dashboard</button></>}>
      <Search label="Filter dashboards" value={filter} onInput={(v) => setParams({ filter: v })} />
      {list.error && <Problem error={list.error} />}
      {list.value?.length === 0 ? (
        <Card><Empty title="No dashboard yet" command={cli(`cloudwatch put-dashboard --dashboard-name app --dashboard-body '{"widgets":[{"type":"metric","x":0,"y":0,"width":12,"height":6,"properties":{"metrics":[["App","Latency"]],"region":"us-east-1","stat":"Average","period":60,"title":"Latency"}}]}'`)} /></Card>
      ) : (
        <Table label="Dashboards" columns={columns} rows={list.value ?? []} rowKey={(d) => d.DashboardName} filter={filter} onRow={(d) => go(["dashboards", d.DashboardName])} />
      )}
      {creating && <Create onClose={() => setCreating(false)} />}
    </Page>
  );
}

function Create({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const start = JSON.stringify({ widgets: [{ type: "text", x: 0, y: 0, width: 24, height: 2, properties: { markdown: "# New dashboard\nEdit the source to add widgets." } }] });
  return (
    <Dialog title="Create dashboard" onClose={onClose}>
      <form class="row" onSubmit={(e) => { e.preventDefault(); void attempt("Dashboard created", () => cloudwatch("PutDashboard", { DashboardName: name, DashboardBody: start })).then((ok) => ok && go(["dashboards", name])); }}>
        <input class="grow" aria-label="Name" placeholder="Name" required pattern="[A-Za-z0-9\-_]+" value={name} onInput={(e) => setName(e.currentTarget.value)} />
        <button class="primary">Create</button>
      </form>
    </Dialog>
  );
}

function Dashboard({ name }: { name: string }) {
  const [editing, setEditing] = useState(false);
  const read = useLoad((s) => cloudwatch<{ DashboardBody: string }>("GetDashboard", { DashboardName: name }, s), [name, account.value, refreshTick.value]);
  const variables = param("vars").value;
  const parsed = useMemo<Body | undefined>(() => {
    if (!read.value) return undefined;
    try {
      let text = read.value.DashboardBody;
      const chosen = new URLSearchParams(variables);
      const first = JSON.parse(text) as Body;
      // A pattern variable is replaced in the text, a property variable by its name.
      for (const v of first.variables ?? []) {
        const value = chosen.get(v.id) ?? v.defaultValue;
        if (value && v.type === "pattern") text = text.replaceAll(v.property, JSON.stringify(value).slice(1, -1));
      }
      return JSON.parse(text) as Body;
    } catch {
      return { widgets: [] };
    }
  }, [read.value, variables]);
  const save = (body: Body, title: string) => attempt(title, () => cloudwatch("PutDashboard", { DashboardName: name, DashboardBody: JSON.stringify(body) })).then(read.reload);
  const move = (index: number, dx: number, dy: number, dw = 0, dh = 0) => {
    if (!read.value) return;
    const body = JSON.parse(read.value.DashboardBody) as Body;
    const w = body.widgets[index];
    if (!w) return;
    const clamp = (n: number, low: number, high: number) => Math.max(low, Math.min(high, n));
    w.width = clamp((w.width ?? 6) + dw, 1, 24);
    w.height = clamp((w.height ?? 6) + dh, 1, 100);
    w.x = clamp((w.x ?? 0) + dx, 0, 24 - w.width);
    w.y = clamp((w.y ?? 0) + dy, 0, 1000);
    void save(body, "Widget moved");
  };
  return (
    <Page
      title={name}
      crumbs={[{ text: "Dashboards", href: href(["dashboards"]) }]}
      actions={
        <>
          <CliButton line={`cloudwatch get-dashboard --dashboard-name ${quote(name)}`} />
          <button onClick={() => setEditing(true)}>Edit source</button>
          <button class="danger" onClick={() => confirm(`Delete ${name}?`) && void attempt("Dashboard deleted", () => cloudwatch("DeleteDashboards", { DashboardNames: [name] })).then((ok) => ok && go(["dashboards"]))}>Delete</button>
        </>
      }
    >
      {read.error && <Problem error={read.error} />}
      {!!parsed?.variables?.length && (
        <div class="row">
          {parsed.variables.filter((v) => v.visible !== false).map((v) => {
            const chosen = new URLSearchParams(variables);
            const change = (value: string) => { chosen.set(v.id, value); setParams({ vars: chosen.toString() }, true); };
            return (
              <Field label={v.label ?? v.id}>
                {v.values ? (
                  <select value={chosen.get(v.id) ?? v.defaultValue ?? ""} onChange={(e) => change(e.currentTarget.value)}>{v.values.map((x) => <option value={x.value}>{x.label ?? x.value}</option>)}</select>
                ) : (
                  <input value={chosen.get(v.id) ?? v.defaultValue ?? ""} onChange={(e) => change(e.currentTarget.value)} />
                )}
              </Field>
            );
          })}
        </div>
      )}
      {parsed && (
        <div class="dash-grid">
          {parsed.widgets.map((w, i) => (
            <article
              class="widget card"
              tabIndex={0}
              aria-label={`${String(w.properties["title"] ?? w.type)} widget. Alt and arrow keys move it, with Shift they size it.`}
              style={{ gridColumn: `${(w.x ?? 0) + 1} / span ${w.width ?? 6}`, gridRow: `${(w.y ?? 0) + 1} / span ${w.height ?? 6}` }}
              onKeyDown={(e) => {
                const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
                if (!e.altKey || !by) return;
                e.preventDefault();
                if (e.shiftKey) move(i, 0, 0, by[0], by[1]);
                else move(i, by[0]!, by[1]!);
              }}
            >
              <WidgetView widget={w} />
            </article>
          ))}
        </div>
      )}
      {parsed?.widgets.length === 0 && <Card><Empty title="This dashboard has no widgets" text="Edit the source to add some." /></Card>}
      {editing && read.value && <SourceEditor name={name} body={read.value.DashboardBody} onClose={() => { setEditing(false); read.reload(); }} />}
    </Page>
  );
}

function SourceEditor({ name, body, onClose }: { name: string; body: string; onClose: () => void }) {
  const [text, setText] = useState(() => {
    try {
      return JSON.stringify(JSON.parse(body), null, 2);
    } catch {
      return body;
    }
  });
  const [problems, setProblems] = useState<string[]>([]);
  const save = async () => {
    setProblems([]);
    try {
      const out = await cloudwatch<{ DashboardValidationMessages?: { DataPath?: string; Message?: string }[] }>("PutDashboard", { DashboardName: name, DashboardBody: text });
      const messages = (out.DashboardValidationMessages ?? []).map((m) => `${m.DataPath ?? ""}: ${m.Message ?? ""}`);
      if (messages.length) setProblems(messages);
      else onClose();
    } catch (e) {
      const details = e instanceof ApiError ? ((e.body as { dashboardValidationMessages?: { DataPath?: string; Message?: string }[] })?.dashboardValidationMessages ?? []) : [];
      setProblems([String(e instanceof Error ? e.message : e), ...details.map((m) => `${m.DataPath ?? ""}: ${m.Message ?? ""}`)]);
    }
  };
  return (
    <Dialog title="Source" onClose={onClose} wide>
      <textarea rows={26} class="mono" aria-label="Dashboard source" value={text} onInput={(e) => setText(e.currentTarget.value)} />
      {problems.map((p) => <p class="problem">{p}</p>)}
      <div class="row run-row"><button class="primary" onClick={() => void save()}>Save</button></div>
    </Dialog>
  );
}

// "metrics" of a widget: each row is [namespace, name, dim, value, ..., {options}] where "." repeats
// the cell above and "..." the rest of the row above; an expression is [{expression}].
export function widgetRows(properties: Record<string, unknown>): Row[] {
  const rows: Row[] = [];
  let above: string[] = [];
  let n = 0;
  for (const entry of (properties["metrics"] as unknown[][] | undefined) ?? []) {
    const options = (typeof entry.at(-1) === "object" ? entry.at(-1) : {}) as Record<string, unknown>;
    const cells = entry.filter((c): c is string => typeof c === "string");
    const shared = {
      id: String(options["id"] ?? `w${++n}`),
      ...(options["label"] ? { label: String(options["label"]) } : {}),
      ...(options["color"] ? { color: String(options["color"]) } : {}),
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

function WidgetView({ widget }: { widget: Widget }) {
  const title = String(widget.properties["title"] ?? "");
  return (
    <>
      {title && <h2>{title}</h2>}
      {widget.type === "metric" ? <MetricWidget widget={widget} /> : widget.type === "text" ? <Markdown text={String(widget.properties["markdown"] ?? "")} /> : widget.type === "alarm" ? <AlarmWidget properties={widget.properties} /> : widget.type === "log" ? <LogWidget properties={widget.properties} /> : <p class="soft">A widget of type {widget.type} is shown by its source only.</p>}
    </>
  );
}

function MetricWidget({ widget }: { widget: Widget }) {
  const p = widget.properties;
  const rows = useMemo(() => widgetRows(p), [p]);
  const data = useLoad((s) => readMetrics(rows, range.value, s), [rows, range.value, region.value, account.value]);
  const lines = useMemo(() => {
    const marks = ((p["annotations"] as { horizontal?: { value: number; label?: string; color?: string }[] } | undefined)?.horizontal ?? []).flat();
    return marks.map((m) => ({ value: m.value, label: m.label ?? "", ...(m.color ? { color: m.color } : {}) }));
  }, [p]);
  if (data.error) return <Problem error={data.error} />;
  const series = data.value?.series ?? [];
  if (p["view"] === "singleValue")
    return (
      <div class="stats">
        {series.map((s) => <div><span class="stat-label">{s.label}</span> <span class="stat-value">{formatNumber(s.values.at(-1) ?? NaN)}</span></div>)}
      </div>
    );
  return <Chart label={String(p["title"] ?? "Metrics")} series={series} from={range.value.from} to={range.value.to} height={Math.max(120, (widget.height ?? 6) * 48 - 90)} kind={p["view"] === "bar" ? "bars" : p["stacked"] ? "stacked" : "line"} lines={lines} />;
}

function AlarmWidget({ properties }: { properties: Record<string, unknown> }) {
  const names = ((properties["alarms"] as string[] | undefined) ?? []).map((arn) => arn.split(":alarm:").at(-1)!);
  const alarms = useLoad(async (s) => {
    const found = await cloudwatch<{ MetricAlarms?: { AlarmName: string; StateValue: string }[]; CompositeAlarms?: { AlarmName: string; StateValue: string }[] }>("DescribeAlarms", { AlarmNames: names, AlarmTypes: ["MetricAlarm", "CompositeAlarm"] }, s);
    return [...(found.MetricAlarms ?? []), ...(found.CompositeAlarms ?? [])];
  }, [names.join(), refreshTick.value]);
  return (
    <ul class="plain">
      {alarms.value?.map((a) => <li class="row"><Badge tone={stateTone(a.StateValue)}>{a.StateValue}</Badge> <a href={href(["alarms", a.AlarmName])}>{a.AlarmName}</a></li>)}
    </ul>
  );
}

function LogWidget({ properties }: { properties: Record<string, unknown> }) {
  const text = String(properties["query"] ?? "");
  const [rows, setRows] = useState<Record<string, string>[]>([]);
  const [failure, setFailure] = useState<unknown>();
  const now: Range = range.value;
  useEffect(() => {
    const abort = new AbortController();
    const read = async () => {
      const { queryId } = await logs<{ queryId: string }>("StartQuery", { startTime: Math.floor(now.from / 1000), endTime: Math.ceil(now.to / 1000), queryString: text }, abort.signal);
      for (;;) {
        const answer = await logs<{ status: string; results: { field: string; value: string }[][] }>("GetQueryResults", { queryId }, abort.signal);
        if (["Complete", "Failed", "Cancelled", "Timeout"].includes(answer.status)) {
          setRows(answer.results.map((cells) => Object.fromEntries(cells.map((c) => [c.field, c.value]))));
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    };
    read().catch((e: unknown) => !abort.signal.aborted && setFailure(e));
    return () => abort.abort();
  }, [text, now]);
  const names = [...new Set(rows.flatMap((r) => Object.keys(r)))].filter((n) => n !== "@ptr");
  const columns = names.map((n): Column<Record<string, string>> => ({ id: n, title: n, value: (r) => r[n] }));
  return failure ? <p class="problem">{String(failure)}</p> : <Table label="Log query" columns={columns} rows={rows} rowKey={(_r, i) => String(i)} height={280} />;
}

// The part of Markdown that dashboards use: headings, lists, emphasis, code, links, rules, tables as
// text. Everything becomes text nodes: nothing in it can run.
export function Markdown({ text }: { text: string }) {
  const inline = (line: string) =>
    line.split(/(\*\*[^*]+\*\*|`[^`]+`|\[[^\]]+\]\([^)\s]+\))/).map((part) => {
      if (/^\*\*.*\*\*$/.test(part)) return <b>{part.slice(2, -2)}</b>;
      if (/^`.*`$/.test(part)) return <code>{part.slice(1, -1)}</code>;
      const link = /^\[([^\]]+)\]\(([^)\s]+)\)$/.exec(part);
      if (link) return /^(https?:|#)/.test(link[2]!) ? <a href={link[2]} rel="noopener noreferrer">{link[1]}</a> : <>{link[1]}</>;
      return part;
    });
  return (
    <div class="markdown">
      {text.split("\n").map((line) => {
        const heading = /^(#{1,6})\s+(.*)$/.exec(line);
        if (heading) return heading[1]!.length < 2 ? <h2>{inline(heading[2]!)}</h2> : <h3>{inline(heading[2]!)}</h3>;
        if (/^\s*[-*]\s+/.test(line)) return <li>{inline(line.replace(/^\s*[-*]\s+/, ""))}</li>;
        if (/^-{3,}$/.test(line.trim())) return <hr />;
        return line.trim() ? <p>{inline(line)}</p> : null;
      })}
    </div>
  );
}
